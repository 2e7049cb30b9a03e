"""The administrator's command line: `flask setup`, `token`, `store` and others."""

from flask import Flask

from commands.client import client
from commands.config import config
from commands.log import log
from commands.metrics import metrics
from commands.panel import panel
from commands.setup import setup
from commands.store import group as store
from commands.token import token
from commands.webhook import webhook

COMMANDS = (setup, token, client, panel, config, store, log, metrics, webhook)


def register(app: Flask) -> None:
    """Add the commands to an application."""
    for command in COMMANDS:
        app.cli.add_command(command)
