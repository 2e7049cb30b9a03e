"""The SCIM requests of a provisioning cycle, with Entra's interpretation of the responses."""

import uuid
from typing import Any

from entra import responses
from entra.client import Endpoint, Query
from entra.exchange import Exchange
from entra.mapping import ObjectMapping
from entra.responses import MULTIPLE, ExportError
from entra.targets import Resource

PATHS = {"User": "/Users", "Group": "/Groups"}
WITHOUT_MEMBERS = ("excludedAttributes", "members")


class ScimClient:
    """Sends the requests for one object and records every exchange. Each method raises ExportError on failure."""

    def __init__(self, endpoint: Endpoint, exchanges: list[Exchange] | None = None) -> None:
        self.endpoint = endpoint
        self.exchanges: list[Exchange] = [] if exchanges is None else exchanges

    def test_connection(self, mapping: ObjectMapping) -> None:
        """Search for a random value, as Test Connection and the start of every cycle do."""
        if mapping.matching:
            self.search(mapping.kind, f'{mapping.matching[0].target.text} eq "{uuid.uuid4()}"')

    def search(self, kind: str, filter: str) -> list[Resource]:
        """Search with a filter; groups are requested without members."""
        query = [WITHOUT_MEMBERS] if kind == "Group" else []
        return responses.parse_list(self._send("GET", PATHS[kind], [*query, ("filter", filter)]))

    def match(self, mapping: ObjectMapping, source: dict[str, Any]) -> Resource | None:
        """Find the resource of a source object: one search per matching attribute until one is found."""
        for row in mapping.matching:
            value = row.value(source)
            if value is None:
                continue
            found = self.search(mapping.kind, f'{row.target.text} eq "{_check_literal(str(value))}"')
            if len(found) > 1:
                raise ExportError(MULTIPLE, f"{len(found)} resources match {row.target.text}; expected at most one")
            if found:
                return responses.check_resource(found[0])
        return None

    def get(self, kind: str, id: str) -> Resource:
        """Read one resource; groups are requested without members."""
        query = [WITHOUT_MEMBERS] if kind == "Group" else []
        return responses.parse_resource(self._send("GET", f"{PATHS[kind]}/{id}", query))

    def create(self, kind: str, body: Resource) -> Resource:
        """Create a resource and return it."""
        return responses.parse_resource(self._send("POST", PATHS[kind], body=body))

    def patch(self, kind: str, id: str, body: Resource) -> None:
        """Update a resource."""
        responses.raise_for_status(self._send("PATCH", f"{PATHS[kind]}/{id}", body=body))

    def delete(self, kind: str, id: str) -> None:
        """Delete a resource; one that is already gone counts as deleted."""
        exchange = self._send("DELETE", f"{PATHS[kind]}/{id}")
        if exchange.status != 404:
            responses.raise_for_status(exchange)

    def has_reference(self, kind: str, id: str, attribute: str, value: str) -> bool:
        """Return whether a resource has a reference; the filter asks without reading the attribute."""
        query = [("filter", f'id eq "{id}" and {attribute} eq "{value}"'), ("attributes", "id")]
        return bool(responses.parse_list(self._send("GET", PATHS[kind], query)))

    def _send(self, method: str, path: str, query: Query = (), body: Any = None) -> Exchange:
        exchange = self.endpoint.send(method, path, query, body)
        self.exchanges.append(exchange)
        return exchange


def _check_literal(text: str) -> str:
    if any(character in text for character in '"\\') or not text.isprintable():
        # "The provisioning service can't perform filter queries on values containing special characters."
        raise ExportError("UnsupportedCharacters", f"Entra cannot search for the value {text!r}")
    return text
