"""Serve an application for tests until standard input ends; print its URL and a token as a line of JSON."""

import json
import sys
import tomllib
from pathlib import Path
from threading import Thread
from typing import Any

from werkzeug.serving import make_server

from app import create_app, refuse_to_start
from config import ConfigError
from config.tokens import new_token
from storage.base import Store
from storage.memory import MemoryStore
from storage.tinydb_store import TinyDBStore


def main(config_file: str, folder: str) -> None:
    """Serve with the tables of a file, and with a data file in a folder; each may be empty."""
    token, entry = new_token("tests")
    store: Store = TinyDBStore(Path(folder) / "tinyscim.json") if folder else MemoryStore()
    try:
        tables: dict[str, Any] = tomllib.loads(Path(config_file).read_text("utf-8")) if config_file else {}
        app = create_app({**tables, "tokens": [*tables.get("tokens", []), entry]}, store=store)
    except (ConfigError, OSError, ValueError) as error:
        refuse_to_start(f"{config_file}: {error}")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    path = app.extensions["tinyscim"].live_config.current.server.base_path
    url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    sys.stdout.write(json.dumps({"url": url, "token": token}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # it also ends when the process of the tests is killed
    server.shutdown()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
