"""The few requests that a provisioning cycle consists of, each with what Entra makes of its answer."""

from __future__ import annotations

import uuid
from typing import Any

from entra import answers
from entra.answers import MULTIPLE, ExportError
from entra.client import Endpoint, Exchange, Query
from entra.mapping import ObjectMapping
from entra.targets import Resource

PATHS = {"User": "/Users", "Group": "/Groups"}


class Service:
    """A conversation with the endpoint on behalf of one object; every exchange is kept in `exchanges`."""

    def __init__(self, endpoint: Endpoint, exchanges: list[Exchange] | None = None) -> None:
        self.endpoint = endpoint
        self.exchanges: list[Exchange] = [] if exchanges is None else exchanges

    def probe(self, mapping: ObjectMapping) -> None:
        """Search for nobody, as Test Connection and every cycle do first. Raises ExportError when that fails."""
        if mapping.matching:
            self.search(mapping.kind, f'{mapping.matching[0].target.text} eq "{uuid.uuid4()}"')

    def search(self, kind: str, filter: str) -> list[Resource]:
        """Search by a filter; groups come without their members."""
        query = [("filter", filter)]
        if kind == "Group":
            query.insert(0, ("excludedAttributes", "members"))
        return answers.listing(self._send("GET", PATHS[kind], query))

    def match(self, mapping: ObjectMapping, source: dict[str, Any]) -> Resource | None:
        """Find the one resource that a source object corresponds to, by each matching attribute in turn."""
        for row in mapping.matching:
            value = row.value(source)
            if value is None:
                continue
            found = self.search(mapping.kind, f'{row.target.text} eq "{_literal(value)}"')
            if len(found) > 1:
                raise ExportError(MULTIPLE, f"{len(found)} resources match {row.target.text}; one at most may")
            if found:
                return answers.resource(_as_exchange(found[0]))
        return None

    def get(self, kind: str, id: str) -> Resource:
        """Read one resource; groups come without their members."""
        query = [("excludedAttributes", "members")] if kind == "Group" else []
        return answers.resource(self._send("GET", f"{PATHS[kind]}/{id}", query))

    def create(self, kind: str, body: Resource) -> Resource:
        """Create a resource and give what the endpoint made of it."""
        return answers.resource(self._send("POST", PATHS[kind], body=body))

    def patch(self, kind: str, id: str, body: Resource) -> None:
        """Change a resource."""
        answers.raise_for_status(self._send("PATCH", f"{PATHS[kind]}/{id}", body=body))

    def delete(self, kind: str, id: str) -> None:
        """Delete a resource; one that is gone already counts as deleted."""
        exchange = self._send("DELETE", f"{PATHS[kind]}/{id}")
        if exchange.status != 404:
            answers.raise_for_status(exchange)

    def refers(self, kind: str, id: str, attribute: str, value: str) -> bool:
        """Ask whether a resource holds a reference, without reading the reference."""
        query = [("filter", f'id eq "{id}" and {attribute} eq "{value}"'), ("attributes", "id")]
        return bool(answers.listing(self._send("GET", PATHS[kind], query)))

    def _send(self, method: str, path: str, query: Query = (), body: Any = None) -> Exchange:
        exchange = self.endpoint.send(method, path, query, body)
        self.exchanges.append(exchange)
        return exchange


def _literal(value: Any) -> str:
    text = str(value)
    if any(character in text for character in '"\\') or not text.isprintable():
        # "The provisioning service can't perform filter queries on values containing special characters."
        raise ExportError("UnsupportedCharacters", f"Entra cannot search for the value {text!r}")
    return text


def _as_exchange(found: Resource) -> Exchange:
    return Exchange("GET", "", status=200, response=found)
