"""The administrator's command line: `flask setup`, `flask token`, `flask panel`, `flask store`, `flask log`."""

from flask import Flask

from commands.log import log
from commands.panel import panel
from commands.setup import setup
from commands.store import group as store
from commands.token import token


def register(app: Flask) -> None:
    """Add the commands to an application."""
    for command in (setup, token, panel, store, log):
        app.cli.add_command(command)
