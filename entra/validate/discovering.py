"""Cases of discovery: schemas, and paging through the accounts."""

from typing import Any

from entra.targets import CORE_USER, ENTERPRISE
from entra.validate.cases import Section
from entra.validate.probe import Probe, nulls_in

SECTION = Section("Discovery")
case = SECTION.case_once
MAPPED = ("userName", "displayName", "active", "emails", "name")


@case("Mappings cannot be saved or lack attributes.", "Serve a camelCase ListResponse with every mapped attribute.")
def schema_discovery(probe: Probe) -> None:
    """Schema discovery: /Schemas is a ListResponse without nulls that lists the mapped attributes."""
    exchange = probe.send("GET", "/Schemas")
    probe.expect_status(exchange, 200)
    schemas = {r.get("id"): r for r in probe.resources(exchange)}
    found = list(nulls_in(exchange.response))
    probe.expect(not found, f"nulls: {', '.join(found[:5])}")
    probe.expect(CORE_USER in schemas, "the core User schema is not listed")
    names = {a.get("name") for a in schemas[CORE_USER].get("attributes") or [] if isinstance(a, dict)}
    missing = [name for name in MAPPED if name not in names]
    probe.expect(not missing, f"the core User schema does not list {', '.join(missing)}")
    probe.expect(ENTERPRISE in schemas, "the enterprise extension (employeeNumber, department, manager) is not listed")


@case(
    "Account discovery misses users or never ends; the gallery's paging test fails.",
    "Honour startIndex and count, echo startIndex, keep totalResults and the order stable.",
)
def paging(probe: Probe) -> None:
    """Account discovery: paging by index returns every user once."""
    _page_through(probe, "/Users", {probe.create_user() for _ in range(6)})


@case("The gallery's paging test fails.", "Honour startIndex and count on /Groups as on /Users.")
def group_paging(probe: Probe) -> None:
    """Paging by index returns every group once."""
    _page_through(probe, "/Groups", {probe.create_group() for _ in range(6)})


def _page_through(probe: Probe, path: str, created: set[str]) -> None:
    seen: list[Any] = []
    for start in (1, 6, 11, 16, 21):
        page, body = _page(probe, path, start)
        seen += page
    total = body.get("totalResults", 0)
    probe.expect(len(seen) == len(set(seen)), "a resource is on more than one page")
    probe.expect(len(seen) == min(total, 25), f"five pages of 5 contain {len(seen)} of {total} resources")
    if total <= 25:
        missing = created - set(seen)
        probe.expect(not missing, f"{len(missing)} of {len(created)} new resources are on no page")
    beyond, _ = _page(probe, path, total + 1)
    probe.expect(beyond == [], "the page after the last one is not empty")


def _page(probe: Probe, path: str, start: int) -> tuple[list[Any], dict[str, Any]]:
    query = [("startIndex", str(start)), ("count", "5")]
    if path == "/Groups":
        query.insert(0, ("excludedAttributes", "members"))
    exchange = probe.send("GET", path, query)
    probe.expect_status(exchange, 200)
    page, body = probe.resources(exchange), exchange.response
    probe.expect(len(page) <= 5, f"count=5 returned {len(page)} resources")
    if page:
        probe.expect(body.get("startIndex") == start, f"startIndex is {body.get('startIndex')!r} instead of {start}")
    return [r.get("id") for r in page], body
