"""A service with OAuth clients, in process, and the requests of such a client."""

from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import tomlkit
from werkzeug.test import TestResponse

from app import create_app
from config.tokens import new_client_secret, new_token
from storage.base import Store
from storage.memory import MemoryStore
from tests.support.past import settle

YEAR = timedelta(days=365)
USERS = "/api/scim/v2/Users"


def make_client(id: str = "entra-id", **rest: Any) -> tuple[str, dict[str, Any]]:
    """Return a client secret, and the [[clients]] table that has it."""
    secret, table = new_client_secret(YEAR)
    return secret, {"id": id, "name": f"name of {id}", "scope": "read-write", "secrets": [table], **rest}


class OAuthService:
    """An app with its clients; with a folder, its configuration is a file there."""

    def __init__(
        self, *clients: dict[str, Any], folder: Path | None = None, store: Store | None = None, **tables: Any
    ) -> None:
        self.token, table = new_token("static")
        given = {"connection": {"enabled": True}, "tokens": [table], "clients": list(clients), **tables}
        self.path = folder / "config.toml" if folder else None
        if self.path:
            self.path.write_text(tomlkit.dumps({name: value for name, value in given.items() if value}))
            self.path.chmod(0o600)
            settle(self.path)
        self.app = create_app(self.path or given, store=store or MemoryStore())

    def ask(self, form: Any, headers: Any = None, **options: Any) -> TestResponse:
        """Send a token request; `grant_type` is added to a form without one."""
        if isinstance(form, dict):
            form = {"grant_type": "client_credentials", **form}
        return self.app.test_client().post("/oauth2/token", data=form, headers=headers, **options)

    def access_token(self, secret: str, id: str = "entra-id", **form: str) -> str:
        answer = self.ask({"client_id": id, "client_secret": secret, **form})
        assert answer.status_code == 200, answer.text
        return answer.json["access_token"]

    def get(self, token: str, path: str = USERS) -> TestResponse:
        return self.app.test_client().get(path, headers={"Authorization": f"Bearer {token}"})

    def post_user(self, token: str, name: str) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return self.app.test_client().post(USERS, headers=headers, json={"userName": name})


def basic(id: str, secret: str) -> dict[str, str]:
    """Return the header of client_secret_basic (RFC 6749 section 2.3.1)."""
    text = f"{quote_plus(id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}
