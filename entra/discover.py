"""Account discovery: page through every user of an endpoint and compare them with a tenant."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from entra import responses
from entra.client import Endpoint
from entra.mapping import MappingSet
from entra.targets import Resource
from entra.tenant import Tenant

Account = dict[str, Any]


@dataclass(slots=True)
class Discovery:
    """The accounts that the tenant does not have, has unassigned, or has assigned."""

    local: list[Account] = field(default_factory=list)
    unassigned: list[Account] = field(default_factory=list)
    assigned: list[Account] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def remark(self, text: str) -> None:
        """Record a fault of the endpoint once."""
        if text not in self.remarks:
            self.remarks.append(text)


def discover(endpoint: Endpoint, mappings: MappingSet, tenant: Tenant | None, count: int = 100) -> Discovery:
    """Read every account and classify it by the first matching attribute."""
    row = mappings.users.matching[0]
    users = {str(row.value({**user.source})).casefold(): user for user in tenant.of("User")} if tenant else {}
    assigned = tenant.assigned() if tenant else set()
    found = Discovery()
    for resource in _pages(endpoint, count, found):
        value = row.target.read(resource)
        user = users.get(str(value).casefold())
        account = {"id": resource.get("id"), row.target.text: value, "active": resource.get("active")}
        account["objectId"] = user.id if user else None
        if user is None:
            found.local.append(account)
        else:
            (found.assigned if user.id in assigned else found.unassigned).append(account)
    return found


def _pages(endpoint: Endpoint, count: int, found: Discovery) -> Iterator[Resource]:
    start = 1
    totals: set[str] = set()
    seen: set[str] = set()
    while True:
        exchange = endpoint.send("GET", "/Users", [("startIndex", str(start)), ("count", str(count))])
        resources = responses.parse_list(exchange)
        total, echoed = (exchange.response.get(name) for name in ("totalResults", "startIndex"))
        totals.add(str(total))
        if echoed != start:
            found.remark(f"startIndex {start} was requested, but the response has {echoed!r}")
        new = [r for r in resources if str(r.get("id")) not in seen]
        if len(new) < len(resources):
            found.remark(f"page {start} repeats {len(resources) - len(new)} accounts of earlier pages")
        yield from new
        seen.update(str(r.get("id")) for r in new)
        start += len(resources)
        if not new or (isinstance(total, int) and start > total):
            break
    if len(totals) > 1:
        found.remark(f"totalResults changed between pages: {', '.join(sorted(totals))}")
