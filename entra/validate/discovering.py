"""Cases of discovery: schemas, and paging through what is there."""

from __future__ import annotations

from typing import Any

from entra.targets import CORE_USER, ENTERPRISE
from entra.validate.cases import Section
from entra.validate.probe import Probe, nulls_in

SECTION = Section("Discovery")
case = SECTION.case
MAPPED = ("userName", "displayName", "active", "emails", "name")


@case(
    "Schema discovery: /Schemas is a ListResponse without nulls that names what is mapped",
    effect="Saving the mappings fails, or attributes cannot be chosen.",
    fix="Serve /Schemas as a ListResponse in camelCase that lists every attribute which is mapped.",
    both=False,
)
def _schema_discovery(probe: Probe) -> None:
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
    "Account discovery: paging by index gets every user once",
    effect="Account discovery misses users or never ends; the gallery's paging test fails.",
    fix="Honour startIndex and count, echo startIndex, keep totalResults and the order stable.",
    both=False,
)
def _paging(probe: Probe) -> None:
    _page_through(probe, "/Users", {probe.new_user()["id"] for _ in range(6)})


@case(
    "Groups are paged through by index, too",
    effect="The gallery's paging test fails.",
    fix="Honour startIndex and count on /Groups as on /Users.",
    both=False,
)
def _group_paging(probe: Probe) -> None:
    _page_through(probe, "/Groups", {probe.new_group()["id"] for _ in range(6)})


def _page_through(probe: Probe, path: str, made: set[str]) -> None:
    seen: list[Any] = []
    for start in (1, 6, 11, 16, 21):
        page, body = _page(probe, path, start)
        seen += page
    total = body.get("totalResults", 0)
    probe.expect(len(seen) == len(set(seen)), "some came on more than one page")
    probe.expect(len(seen) == min(total, 25), f"five pages of 5 held {len(seen)} of {total}")
    if total <= 25:
        probe.expect(made <= set(seen), f"{len(made - set(seen))} of {len(made)} new ones were on no page")
    beyond, _ = _page(probe, path, total + 1)
    probe.expect(beyond == [], "there is a page after the last one")


def _page(probe: Probe, path: str, start: int) -> tuple[list[Any], dict[str, Any]]:
    query = [("startIndex", str(start)), ("count", "5")]
    if path == "/Groups":
        query.insert(0, ("excludedAttributes", "members"))
    exchange = probe.send("GET", path, query)
    probe.expect_status(exchange, 200)
    page, body = probe.resources(exchange), exchange.response
    probe.expect(len(page) <= 5, f"count=5 answered {len(page)} resources")
    probe.expect(not page or body.get("startIndex") == start, _not_echoed(start, body))
    return [r.get("id") for r in page], body


def _not_echoed(start: int, body: dict[str, Any]) -> str:
    return f"startIndex={start} was answered with startIndex {body.get('startIndex')!r}"
