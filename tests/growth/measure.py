"""Measures requests for another process: a line of JSON in says what to send, a line out how many steps it took.

The application is instrumented, so it has a process of its own: `python -m tests.growth.measure`.
"""

import json
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tomlkit

from tests.growth import counting, instrument

instrument.install()  # before anything of the project is imported

from app import create_app  # noqa: E402
from config.tokens import new_token  # noqa: E402
from provisioning_log import log_of  # noqa: E402
from storage.memory import MemoryStore  # noqa: E402
from tests.support.panel_browser import HASH, SCIM, Browser  # noqa: E402


def main() -> None:
    """Answer each line."""
    logging.getLogger("tinyscim").addHandler(logging.NullHandler())
    logging.getLogger("tinyscim").propagate = False
    for line in sys.stdin:
        asked = json.loads(line)
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # the log's thread may still write
            status, steps = _measured(_browser(Path(folder)), asked)
        sys.stdout.write(json.dumps({"status": status, "steps": steps}) + "\n")
        sys.stdout.flush()


def _browser(folder: Path) -> Browser:
    token, table = new_token("tests")
    tables = {
        "panel": {"password_hash": HASH, "secret": "s" * 40, "allow": []},
        "connection": {"enabled": True},
        "log": {"path": "provisioning.jsonl"},
        "tokens": [table],
    }
    path = folder / "config.toml"
    path.write_text(tomlkit.dumps(tables))
    path.chmod(0o600)
    return Browser(create_app(path, store=MemoryStore()), path, token)


def _measured(browser: Browser, asked: dict[str, Any]) -> tuple[int, int]:
    """Send what comes before, and then count the request; without a status, it was stopped at the ceiling."""
    kept: dict[str, str] = {}
    for request in asked["before"]:
        answer = _sent(browser, request, kept)
        assert answer.status_code < 300 or request.get("refused"), answer.text
        if request.get("keep"):
            kept[request["keep"]] = answer.get_json(force=True)["id"]
    if asked["request"]["path"].startswith("/panel"):
        browser.sign_in()
    _flush(browser)
    status = 0
    try:
        with counting.work.counted(asked["ceiling"]):
            status = _sent(browser, asked["request"], kept).status_code
            _flush(browser)
    except counting.TooMuchWork:
        pass
    return status, counting.work.steps


def _sent(browser: Browser, request: dict[str, Any], kept: dict[str, str]) -> Any:
    body = request.get("body")
    path, data = request["path"], json.dumps(body) if body is not None else request.get("data", "")
    for name, id in kept.items():
        path, data = (text.replace(f"{{{name}}}", id) for text in (path, data))
    if path.startswith("/panel"):
        return browser.client.get(path)
    headers = {"Authorization": f"Bearer {browser.token}", "Content-Type": "application/scim+json"}
    headers |= request.get("headers", {})
    return browser.app.test_client().open(SCIM + path, method=request["method"], data=data, headers=headers)


def _flush(browser: Browser) -> None:
    """Let the log write what waits; its work counts."""
    log = log_of(browser.app)
    assert log
    log.flush()


if __name__ == "__main__":
    main()
