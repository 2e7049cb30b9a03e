"""A SCIM client for tests, over Flask's test client or over the network."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.support.urns import ERROR, GROUP, PATCH_OP, USER

BASE_PATH = "/api/scim/v2"
CONTENT_TYPE = "application/scim+json; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None


Send = Callable[[str, str, dict[str, str], bytes | None], Answer]


class Scim:
    """A client that sends what Entra sends, and holds every refusal to the form of an RFC 7644 error."""

    def __init__(self, send: Send, token: str, base_path: str = BASE_PATH, app: Any = None) -> None:
        self.send, self.token, self.base_path, self.app = send, token, base_path, app
        self.url = ""
        self._numbers = itertools.count(1)

    def request(self, method: str, path: str, body: Any = None, headers: Any = None, data: Any = None) -> Answer:
        """Send JSON (`body`) or bytes (`data`); a header given as None is left out."""
        if body is not None:
            data = json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}"}
        if data is not None:
            sent["Content-Type"] = CONTENT_TYPE
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value is not None}
        answer = self.send(method, self.base_path + path, sent, data)
        if answer.status >= 400 and method != "HEAD":
            assert answer.headers["Content-Type"].split(";")[0] == "application/scim+json", answer
            assert answer.body["schemas"] == [ERROR]
            assert answer.body["status"] == str(answer.status)
        return answer

    def get(self, path: str, headers: Any = None) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any, headers: Any = None) -> Answer:
        return self.request("POST", path, body, headers)

    def put(self, path: str, body: Any, headers: Any = None) -> Answer:
        return self.request("PUT", path, body, headers)

    def patch(self, path: str, body: Any, headers: Any = None) -> Answer:
        return self.request("PATCH", path, body, headers)

    def delete(self, path: str, headers: Any = None) -> Answer:
        return self.request("DELETE", path, headers=headers)

    def patch_op(self, path: str, *operations: Any, headers: Any = None) -> Answer:
        return self.patch(path, {"schemas": [PATCH_OP], "Operations": list(operations)}, headers)

    def query(self, path: str, **parameters: Any) -> Answer:
        return self.get(f"{path}?{urlencode(parameters)}")

    def found(self, path: str, filter: str) -> list[str]:
        """The ids that a filter finds."""
        answer = self.query(path, filter=filter)
        assert answer.status == 200, answer.body
        return [resource["id"] for resource in answer.body["Resources"]]

    def read(self, path: str) -> Any:
        """The resource at a path, which must be there."""
        answer = self.get(path)
        assert answer.status == 200, answer.body
        return answer.body

    def create_user(self, **attributes: Any) -> Any:
        default = {"schemas": [USER], "userName": f"user{next(self._numbers)}@contoso.example"}
        return self._create("/Users", {**default, **attributes})

    def create_group(self, **attributes: Any) -> Any:
        default = {"schemas": [GROUP], "displayName": f"Group {next(self._numbers)}"}
        return self._create("/Groups", {**default, **attributes})

    def _create(self, path: str, body: Any) -> Any:
        answer = self.post(path, body)
        assert answer.status == 201, answer.body
        return answer.body


def in_process(app: Any) -> Send:
    client = app.test_client()

    def send(method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
        answer = client.open(url, method=method, headers=headers, data=data)
        return Answer(answer.status_code, answer.headers, answer.get_data(as_text=True))

    return send


def over_network(client: httpx.Client) -> Send:
    def send(method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
        answer = client.request(method, url, headers=headers, content=data)
        return Answer(answer.status_code, answer.headers, answer.text)

    return send
