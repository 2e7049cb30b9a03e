"""The administrator's command line: `flask token`, `flask log`, `flask setup`."""

from flask import Flask

from commands.log import log
from commands.setup import setup
from commands.token import token


def register(app: Flask) -> None:
    """Hang the commands onto an application."""
    for command in (log, setup, token):
        app.cli.add_command(command)
