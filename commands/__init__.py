"""The administrator's command line: `flask setup`, `token`, `client`, `panel`, `store` and `log`."""

from flask import Flask

from commands.client import client
from commands.log import log
from commands.panel import panel
from commands.setup import setup
from commands.store import group as store
from commands.token import token


def register(app: Flask) -> None:
    """Add the commands to an application."""
    for command in (setup, token, client, panel, store, log):
        app.cli.add_command(command)
