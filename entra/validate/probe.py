"""What a case uses to check the endpoint: recorded requests, expectations, cleaning up."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from entra import responses
from entra.client import Endpoint, Query
from entra.dialect import patch_op
from entra.exchange import Exchange
from entra.oauth import Credentials
from entra.scim_client import PATHS
from entra.targets import CORE_GROUP, CORE_USER, ENTERPRISE, Resource, Target

Op = tuple[Any, ...]  # (verb, path) or (verb, path, value); None as the path omits it


class CaseFailedError(Exception):
    """The endpoint did not do what the case expects; `exchange` shows it, by default the case's last one."""

    def __init__(self, message: str, exchange: Exchange | None = None) -> None:
        super().__init__(message)
        self.exchange = exchange


class CaseSkippedError(Exception):
    """The case does not apply to this endpoint."""


class Probe:
    """The requests of one case in one dialect. Its `expect_...` and request methods raise CaseFailedError."""

    def __init__(self, endpoint: Endpoint, *, flag: bool) -> None:
        self.endpoint = endpoint
        self.flag = flag
        self.exchanges: list[Exchange] = []
        self.created: list[str] = []

    @property
    def last(self) -> Exchange | None:
        """The last recorded exchange."""
        return self.exchanges[-1] if self.exchanges else None

    # Expectations

    def expect(self, condition: object, message: str, exchange: Exchange | None = None) -> None:
        """Fail the case with the message, and mark the exchange, unless the condition holds."""
        if not condition:
            raise CaseFailedError(message, exchange)

    def expect_equal(self, name: str, found: Any, wanted: Any) -> None:
        """Fail the case unless a value and its type are as wanted."""
        self.expect(type(found) is type(wanted) and found == wanted, f"{name} is {found!r} instead of {wanted!r}")

    def expect_status(self, exchange: Exchange, *allowed: int) -> None:
        """Fail the case unless the response has one of these statuses."""
        if exchange.status not in allowed:
            request = f"{exchange.method} {exchange.url}"
            self.expect(exchange.status is not None, f"{request}: {exchange.fault}", exchange)
            text = exchange.response.get("detail") if isinstance(exchange.response, dict) else None
            detail = f" ({' '.join(str(text).split())})" if text else ""
            wanted = " or ".join(map(str, allowed))
            raise CaseFailedError(f"{request} returned {exchange.status}{detail} instead of {wanted}", exchange)

    def expect_all(self, exchanges: list[Exchange], *allowed: int) -> None:
        """Fail the case unless each of many responses has one of these statuses."""
        refused = [exchange for exchange in exchanges if exchange.status not in allowed]
        returned = [exchange.outcome for exchange in refused[:3]]
        self.expect(not refused, f"{len(refused)} of {len(exchanges)} requests returned {returned}", *refused[:1])

    def expect_found(self, kind: str, filter: str, *ids: str, **query: str) -> list[Resource]:
        """Fail the case unless a search returns exactly the resources with these ids."""
        found = self.search(kind, filter, **query)
        is_equal = [r.get("id") for r in found] == list(ids)
        self.expect(is_equal, f"{filter} returned {len(found)} resources, not exactly the {len(ids)} expected")
        return found

    def expect_values(self, kind: str, id: str, values: Mapping[str, Any]) -> None:
        """Fail the case unless a resource has these values at these paths."""
        resource = self.read(kind, id)
        for path, value in values.items():
            self.expect_equal(path, Target.parse(path).read(resource), value)

    def skip(self, reason: str) -> NoReturn:
        """Skip the case."""
        raise CaseSkippedError(reason)

    # Requests

    def send(self, method: str, path: str, query: Query = (), body: Any = None, **options: Any) -> Exchange:
        """Send a request and record it; created resources are deleted after the case."""
        exchange = self.endpoint.send(method, path, query, body, **options)
        self.exchanges.append(exchange)
        created = exchange.response
        if method == "POST" and exchange.status in (200, 201) and isinstance(created, dict) and created.get("id"):
            self.created.append(f"{path}/{created['id']}")
        return exchange

    def search_with_token(self, token: str, query: Query) -> Exchange:
        """Search for users with another token, and record the request."""
        self.exchanges.append(self.endpoint.with_token(token).send("GET", "/Users", query))
        return self.exchanges[-1]

    def ask_for_token(self, credentials: Credentials, **changes: str | None) -> Exchange:
        """Send a token request with these credentials and changed parameters, and record it."""
        self.exchanges.append(self.endpoint.ask_for_token(credentials, **changes))
        return self.exchanges[-1]

    def search(self, kind: str, filter: str, **query: str) -> list[Resource]:
        """Search; fail the case unless the response is a ListResponse."""
        pairs = [*query.items(), ("filter", filter)]
        if kind == "Group" and "attributes" not in query:
            pairs.insert(0, ("excludedAttributes", "members"))
        exchange = self.send("GET", PATHS[kind], pairs)
        self.expect_status(exchange, 200)
        return self.resources(exchange)

    def resources(self, exchange: Exchange) -> list[Resource]:
        """Return the resources of a ListResponse; fail the case if it is not one."""
        try:
            return responses.resources_of(exchange.response)
        except ValueError as error:
            raise CaseFailedError(str(error), exchange) from None

    def create(self, kind: str, body: Resource) -> Resource:
        """Create a resource; fail the case unless it is returned with an id."""
        exchange = self.send("POST", PATHS[kind], body=body)
        self.expect_status(exchange, 201, 200)
        found = exchange.response
        self.expect(isinstance(found, dict) and isinstance(found.get("id"), str), "the created resource has no id")
        return dict(found)

    def create_user(self, **extra: Any) -> str:
        """Create a typical user and return its id."""
        return str(self.create("User", self.user(**extra))["id"])

    def create_group(self, *members: str, **extra: Any) -> str:
        """Create a typical group, add the members, and return its id."""
        id = str(self.create("Group", self.group(**extra))["id"])
        if members:
            self.patch("Group", id, addition(*members))
        return id

    def read(self, kind: str, id: str, **query: str) -> Resource:
        """Read a resource; fail the case unless it is found."""
        exchange = self.send("GET", f"{PATHS[kind]}/{id}", list(query.items()))
        self.expect_status(exchange, 200)
        self.expect(isinstance(exchange.response, dict), "the response is not a resource")
        return dict(exchange.response)

    def patch(self, kind: str, id: str, *operations: Op) -> Exchange:
        """Update a resource; fail the case unless the endpoint accepts it."""
        exchange = self.try_patch(kind, id, *operations)
        self.expect_status(exchange, 200, 204)
        return exchange

    def try_patch(self, kind: str, id: str, *operations: Op) -> Exchange:
        """Send a PATCH and return any response."""
        return self.send("PATCH", f"{PATHS[kind]}/{id}", body=patch_op([self._operation(*op) for op in operations]))

    def _operation(self, verb: str, path: str | None, *value: Any) -> dict[str, Any]:
        operation: dict[str, Any] = {"op": verb if self.flag else verb.capitalize()}
        if path is not None:
            operation["path"] = path
        return operation | ({"value": value[0]} if value else {})

    # Bodies

    def replace(self, values: Mapping[str, Any]) -> list[Op]:
        """Write replacements: one operation each (L), or one without a path for all of them (F)."""
        if self.flag:
            return [("replace", None, dict(values))]
        return [("replace", path, value) for path, value in values.items()]

    def boolean(self, value: bool) -> bool | str:
        """Write a boolean as a PATCH in this dialect has it."""
        return value if self.flag else str(value)

    def unique(self, what: str = "case") -> str:
        """Return a value that no resource of the endpoint has."""
        return f"entra-{what}-{uuid.uuid4().hex[:12]}"

    def user(self, **extra: Any) -> Resource:
        """Return the documented body of a create; None omits an attribute."""
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
        """Return the body of a group's create as it was captured."""
        return {
            "schemas": [CORE_GROUP],
            "externalId": str(uuid.uuid4()),
            "displayName": self.unique("group"),
            "meta": {"resourceType": "Group"},
            "members": [],
            **extra,
        }

    def clean_up(self) -> list[str]:
        """Delete what the case created; return what could not be deleted."""
        statuses = [(path, self.endpoint.send("DELETE", path).status) for path in reversed(self.created)]
        return [path for path, status in statuses if status not in (200, 202, 204, 404)]


def addition(*users: str) -> Op:
    """Return the operation that adds members to a group."""
    return ("add", "members", [{"value": user} for user in users])


def member_ids(resource: Resource) -> set[str]:
    """Return the ids of a group's members."""
    return {str(m.get("value")) for m in resource.get("members") or [] if isinstance(m, dict)}


def nulls_in(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every null in a JSON value."""
    if value is None and path:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from nulls_in(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from nulls_in(inner, f"{path}[]")
