"""What a case talks to the endpoint with: recorded requests, expectations, cleaning up."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from entra.answers import is_list_response
from entra.client import Endpoint, Exchange, Query
from entra.dialect import patch_of
from entra.service import PATHS
from entra.targets import CORE_GROUP, CORE_USER, ENTERPRISE, Resource

Op = tuple[Any, ...]  # (verb, path) or (verb, path, value); a path of None leaves it out


class CaseFailedError(Exception):
    """The endpoint did not do what the case expects."""


class CaseSkippedError(Exception):
    """The case does not apply to this endpoint."""


class Probe:
    """One case's conversation with the endpoint, in one dialect."""

    def __init__(self, endpoint: Endpoint, *, flag: bool) -> None:
        self.endpoint = endpoint
        self.flag = flag
        self.exchanges: list[Exchange] = []
        self.made: list[tuple[str, str]] = []

    # Expectations

    def expect(self, condition: object, message: str) -> None:
        """Fail the case with the message unless the condition holds."""
        if not condition:
            raise CaseFailedError(message)

    def expect_status(self, exchange: Exchange, *allowed: int) -> None:
        """Fail the case unless the answer has one of these statuses."""
        if exchange.status not in allowed:
            got = exchange.status if exchange.status is not None else exchange.fault
            wanted = " or ".join(map(str, allowed))
            said = exchange.response.get("detail") if isinstance(exchange.response, dict) else None
            detail = f" ({' '.join(str(said).split())})" if said else ""
            raise CaseFailedError(f"{exchange.method} {exchange.url} answered {got}{detail}, not {wanted}")

    def skip(self, reason: str) -> None:
        """Leave the case out."""
        raise CaseSkippedError(reason)

    # Requests

    def send(self, method: str, path: str, query: Query = (), body: Any = None, **how: Any) -> Exchange:
        """Send a request and keep the exchange; resources that it makes are cleaned up later."""
        exchange = self.endpoint.send(method, path, query, body, **how)
        self.exchanges.append(exchange)
        made = exchange.response
        if method == "POST" and exchange.status in (200, 201) and isinstance(made, dict) and made.get("id"):
            self.made.append(("Group" if path.startswith("/Groups") else "User", str(made["id"])))
        return exchange

    def send_with_double_bearer(self, path: str, query: Query) -> Exchange:
        """Search with a token that was pasted together with the word Bearer."""
        exchange = self.endpoint.with_prefix("Bearer ").send("GET", path, query)
        self.exchanges.append(exchange)
        return exchange

    def search(self, kind: str, filter: str, **query: str) -> list[Resource]:
        """Search, and fail the case unless a proper ListResponse comes back."""
        pairs = [*query.items(), ("filter", filter)]
        if kind == "Group" and "attributes" not in query:
            pairs.insert(0, ("excludedAttributes", "members"))
        exchange = self.send("GET", PATHS[kind], pairs)
        self.expect_status(exchange, 200)
        return self.resources(exchange)

    def resources(self, exchange: Exchange) -> list[Resource]:
        """Take the resources out of a ListResponse; fail the case when it is none."""
        body = exchange.response
        self.expect(is_list_response(body), "the answer to a search is not a ListResponse")
        found = body.get("Resources")
        if found is None and not body.get("totalResults"):
            return []
        self.expect(isinstance(found, list), 'the ListResponse has no "Resources" array')
        self.expect(all(isinstance(r, dict) for r in found), "a resource in the list is not an object")
        return list(found)

    def create(self, kind: str, body: Resource) -> Resource:
        """Create a resource; fail the case unless it comes back with an id."""
        exchange = self.send("POST", PATHS[kind], body=body)
        self.expect_status(exchange, 201, 200)
        found = exchange.response
        self.expect(isinstance(found, dict) and isinstance(found.get("id"), str), "the created resource has no id")
        return dict(found)

    def new_user(self, **extra: Any) -> Resource:
        """Create a user of the ordinary kind."""
        return self.create("User", self.user(**extra))

    def new_group(self, **extra: Any) -> Resource:
        """Create a group of the ordinary kind."""
        return self.create("Group", self.group(**extra))

    def read(self, kind: str, id: str, **query: str) -> Resource:
        """Read a resource; fail the case unless it is there."""
        exchange = self.send("GET", f"{PATHS[kind]}/{id}", list(query.items()))
        self.expect_status(exchange, 200)
        self.expect(isinstance(exchange.response, dict), "the answer is not a resource")
        return dict(exchange.response)

    def patch(self, kind: str, id: str, *operations: Op) -> Exchange:
        """Patch a resource; fail the case unless that is accepted."""
        exchange = self.try_patch(kind, id, *operations)
        self.expect_status(exchange, 200, 204)
        return exchange

    def try_patch(self, kind: str, id: str, *operations: Op) -> Exchange:
        """Patch a resource, whatever the answer."""
        return self.send("PATCH", f"{PATHS[kind]}/{id}", body=patch_of([self.operation(*op) for op in operations]))

    # Bodies

    def operation(self, verb: str, path: str | None, *value: Any) -> dict[str, Any]:
        """Write one operation in the case's dialect."""
        operation: dict[str, Any] = {"op": verb if self.flag else verb.capitalize()}
        if path is not None:
            operation["path"] = path
        return operation | ({"value": value[0]} if value else {})

    def replace(self, values: Mapping[str, Any]) -> list[Op]:
        """Write replacements: one operation each (L), or one without a path that holds them all (F)."""
        if self.flag:
            return [("replace", None, dict(values))]
        return [("replace", path, value) for path, value in values.items()]

    def unique(self, what: str = "case") -> str:
        """Make a value that nothing else at the endpoint has."""
        return f"entra-{what}-{uuid.uuid4().hex[:12]}"

    def user(self, **extra: Any) -> Resource:
        """Write a create as the documentation shows it; a value of None leaves the attribute out."""
        name = self.unique("user")
        body: Resource = {
            "schemas": [CORE_USER, ENTERPRISE],
            "externalId": str(uuid.uuid4()),
            "userName": f"{name}@contoso.example",
            "active": True,
            "displayName": "Kim O'Neill",
            "emails": [{"primary": True, "type": "work", "value": f"{name}@contoso.example"}],
            "name": {"formatted": "Kim O'Neill", "familyName": "O'Neill", "givenName": "Kim"},
            "meta": {"resourceType": "User"},
            **extra,
        }
        return {key: value for key, value in body.items() if value is not None}

    def group(self, **extra: Any) -> Resource:
        """Write a group's create as it was seen in a capture."""
        return {
            "schemas": [CORE_GROUP],
            "externalId": str(uuid.uuid4()),
            "displayName": self.unique("group"),
            "meta": {"resourceType": "Group"},
            "members": [],
            **extra,
        }

    def clean_up(self) -> list[str]:
        """Delete what the case made, and name what would not go."""
        left = []
        for kind, id in reversed(self.made):
            exchange = self.endpoint.send("DELETE", f"{PATHS[kind]}/{id}")
            if exchange.status not in (200, 202, 204, 404):
                left.append(f"{PATHS[kind]}/{id}")
        return left


def member_ids(resource: Resource) -> set[str]:
    """Give the ids of a group's members."""
    return {str(m.get("value")) for m in resource.get("members") or [] if isinstance(m, dict)}


def nulls_in(value: Any, path: str = "") -> Iterator[str]:
    """Name the places of a JSON value that hold null."""
    if value is None and path:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from nulls_in(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from nulls_in(inner, f"{path}[]")
