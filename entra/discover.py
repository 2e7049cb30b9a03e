"""Account Discovery: page through every user of an endpoint and sort them against a tenant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from entra import answers
from entra.client import Endpoint
from entra.mapping import MappingSet
from entra.targets import Resource
from entra.tenant import Object, Tenant

Account = dict[str, Any]


@dataclass(slots=True)
class Discovery:
    """What was found: accounts that Entra does not know, knows unassigned, or knows assigned."""

    local: list[Account] = field(default_factory=list)
    unassigned: list[Account] = field(default_factory=list)
    assigned: list[Account] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, list[Any]]:
        """Give the discovery as a JSON document."""
        return {
            "local": self.local,
            "unassigned": self.unassigned,
            "assigned": self.assigned,
            "remarks": self.remarks,
        }


def discover(endpoint: Endpoint, mappings: MappingSet, tenant: Tenant | None, count: int = 100) -> Discovery:
    """Read every account and sort it by the first matching attribute."""
    row = mappings.users.matching[0]
    people = {str(row.value({**p.source})).casefold(): p for p in tenant.of("User")} if tenant else {}
    assigned = tenant.assigned() if tenant else set()
    found = Discovery()
    for resource in pages(endpoint, count, found.remarks):
        value = row.target.read(resource)
        person = people.get(str(value).casefold())
        account = _account(resource, row.target.text, value, person)
        if person is None:
            found.local.append(account)
        else:
            (found.assigned if person.id in assigned else found.unassigned).append(account)
    return found


def pages(endpoint: Endpoint, count: int, remarks: list[str]) -> Iterator[Resource]:
    """Page by index until a page is empty; what an endpoint does wrong on the way goes to the remarks."""
    start = 1
    totals: set[str] = set()
    seen: set[str] = set()
    while True:
        exchange = endpoint.send("GET", "/Users", [("startIndex", str(start)), ("count", str(count))])
        resources = answers.listing(exchange)
        body = exchange.response
        total = body.get("totalResults")
        totals.add(str(total))
        if body.get("startIndex") != start:
            _remark(remarks, f"startIndex {start} was not echoed but answered as {body.get('startIndex')!r}")
        fresh = [r for r in resources if str(r.get("id")) not in seen]
        if len(fresh) < len(resources):
            _remark(remarks, f"page {start} repeats {len(resources) - len(fresh)} accounts of earlier pages")
        yield from fresh
        seen.update(str(r.get("id")) for r in fresh)
        start += len(resources)
        if not fresh or (isinstance(total, int) and start > total):
            break
    if len(totals) > 1:
        _remark(remarks, f"totalResults changed between pages: {', '.join(sorted(totals))}")


def _account(resource: Resource, name: str, value: Any, person: Object | None) -> Account:
    return {
        "id": resource.get("id"),
        name: value,
        "active": resource.get("active"),
        "objectId": person.id if person else None,
    }


def _remark(remarks: list[str], text: str) -> None:
    if text not in remarks:
        remarks.append(text)
