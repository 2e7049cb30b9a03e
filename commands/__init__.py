"""The administrator's command line: `flask panel`, `flask setup`, `flask token`."""

from flask import Flask

from commands.panel import panel
from commands.setup import setup
from commands.token import token


def register(app: Flask) -> None:
    """Hang the commands onto an application."""
    for command in (panel, setup, token):
        app.cli.add_command(command)
