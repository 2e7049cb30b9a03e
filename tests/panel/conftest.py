"""The panel as a browser without JavaScript sees it: pages, links and forms, over Flask's test client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from app import create_app
from config.tokens import new_token
from storage.memory import MemoryStore
from tests.support.panel_browser import HASH, Browser
from tests.support.past import settle

# A cheap hash: how strong the real one is has a test of its own.


@pytest.fixture
def make_browser(tmp_path: Path) -> Callable[..., Browser]:
    """Make a browser of an app of its own; keywords are its store and tables of its configuration."""

    def make(store: Any = None, **tables: Any) -> Browser:
        token, table = new_token("entra")
        panel = {"allow": [], "password_hash": HASH, "secret": "s" * 40}
        given = {"connection": {"enabled": True}, "panel": panel, "tokens": [table], **tables}
        path = tmp_path / "config.toml"
        path.write_text(tomlkit.dumps({name: value for name, value in given.items() if value}))
        path.chmod(0o600)
        settle(path)
        return Browser(create_app(path, store=store or MemoryStore()), path, token)

    return make


@pytest.fixture
def anonymous(make_browser: Callable[..., Browser]) -> Browser:
    """A browser that has not signed in."""
    return make_browser()


@pytest.fixture
def browser(anonymous: Browser) -> Browser:
    """A browser that has signed in."""
    assert anonymous.sign_in().status == 302
    return anonymous
