"""The panel as a browser without JavaScript sees it, over Flask's test client."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import tomlkit
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

PASSWORD = "correct horse battery"


HASH = generate_password_hash(PASSWORD, method="scrypt:1024:8:1")


SCIM = "/api/scim/v2"


class _Fields(HTMLParser):
    """The hidden fields of every form on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden" and given.get("name"):
            self.hidden[given["name"]] = given.get("value") or ""


class Page:
    """An answer, with its text as people read it."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.html = response.get_data(as_text=True)
        self.text = " ".join(unescape(re.sub(r"<[^>]+>", " ", self.html)).split())

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    def value(self, id: str) -> str:
        """The value of the field with an id."""
        return unescape(re.search(rf'id="{id}"[^>]* value="([^"]*)"', self.html)[1])


def fields(page: Page) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    return _Fields(page.html).hidden


class Browser:
    """A browser with its cookies, and the service behind it."""

    def __init__(self, app: Any, path: Path, token: str) -> None:
        self.app, self.path, self.token = app, path, token
        self.client = app.test_client()

    def get(self, path: str, **given: Any) -> Page:
        return Page(self.client.get(path, **given))

    def post(self, path: str, fields: dict[str, Any] | None = None, *, form: str | None = None, **given: Any) -> Page:
        """Send the form that a page has (the page at `form`, or the path itself) with these fields."""
        hidden = _Fields(self.get(form or path).html).hidden
        return Page(self.client.post(path, data={**hidden, **(fields or {})}, **given))

    def follow(self, page: Page) -> Page:
        assert page.status == 302, page.text
        return self.get(page.location)

    def sign_in(self, password: str = PASSWORD) -> Page:
        return self.post("/panel/sign-in", {"password": password})

    def command(self, *words: str, given: str | bytes = "") -> Any:
        """Run a command of the administrator's command line."""
        return self.app.test_cli_runner().invoke(args=words, input=given)

    @property
    def config(self) -> Any:
        return tomlkit.parse(self.path.read_text())

    def scim(self, method: str, path: str, body: Any = None, token: str | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.app.test_client().open(SCIM + path, method=method, json=body, headers=headers)

    def entra(self, method: str, path: str, body: Any = None, token: str | None = None) -> TestResponse:
        """Send a request as Entra does, without a User-Agent."""
        headers = {"Authorization": f"Bearer {token or self.token}", "User-Agent": ""}
        return self.app.test_client().open(SCIM + path, method=method, json=body, headers=headers)

    def probe(self, token: str | None = None) -> int:
        """Send the request with which each of Entra's cycles begins, and return the status."""
        return self.entra("GET", f"/Users?filter=userName+eq+%22{uuid4()}%22", token=token).status_code

    def create_user(self, **attributes: Any) -> Any:
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], **attributes}
        answer = self.scim("POST", "/Users", body)
        assert answer.status_code == 201, answer.text
        return answer.get_json(force=True)

    def create_group(self, **attributes: Any) -> Any:
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], **attributes}
        answer = self.scim("POST", "/Groups", body)
        assert answer.status_code == 201, answer.text
        return answer.get_json(force=True)
