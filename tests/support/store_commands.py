"""Runs `flask store ...` over a store."""

from types import SimpleNamespace

from flask import Flask

from commands.store import group
from config import Config
from config.reload import ReloadingConfig
from scim.directory.indexes import Indexes
from tests.support.storage import INDEXES


def runner(store):
    app = Flask("test")
    app.extensions["tinyscim"] = SimpleNamespace(
        store=store,
        feed=SimpleNamespace(writing=store.writing),
        indexes=Indexes(INDEXES, {}),
        live_config=ReloadingConfig(Config()),
        check_document=lambda kind, document: None,
    )
    app.cli.add_command(group)
    return lambda *args: app.test_cli_runner().invoke(args=["store", *map(str, args)])
