"""What a list of resources shows: found, sorted and cut into pages as its address says."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from werkzeug.datastructures import MultiDict

from panel.names import Names
from scim.directory.resources import Resources
from scim.filters import And, Compare, Filter, Not, Or
from scim.protocol.projection import Projection
from scim.protocol.query import Query
from scim.schema.resource_types import ResourceType, Target
from storage.base import Document

PAGE_SIZE = 50
NO_LIMIT = 1_000_000
LONGEST_SEARCH = 200
_FIRST = ("userName", "displayName", "emails.value", "description")
_SEARCHED = (*_FIRST, "name.givenName", "name.familyName", "externalId")
_LEFT_OUT = ("schemas", "groups", "members", "active", "meta")
_OF_META = ("created", "lastModified")


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked of a list; the columns and the one to sort by are attributes in SCIM's notation."""

    type: ResourceType
    columns: tuple[str, ...]
    search: str = ""
    state: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1

    @property
    def has_state(self) -> bool:
        """Whether the resources are active or disabled."""
        return self.type.resolve("active") is not None

    def targets(self) -> list[Target]:
        """Return the attributes in the columns."""
        return [target for name in self.columns if (target := self.type.resolve(name))]

    def query(self) -> Query:
        """Return the query for the page."""
        start = (self.page - 1) * PAGE_SIZE + 1
        return Query(self._filter(), self.sort or None, self.descending, start_index=start, count=PAGE_SIZE)

    def parameters(self, **other: Any) -> dict[str, Any]:
        """Return what the address of this list says, but for what is given."""
        given = {
            "q": self.search,
            "state": self.state,
            "sort": self.sort,
            "order": "descending" if self.descending else "",
            **other,
        }
        return {name: value for name, value in given.items() if value}

    def _filter(self) -> Filter | None:
        terms: list[Filter] = []
        if self.search:
            terms.append(Or(tuple(Compare(name, "co", self.search) for name in self._searched())))
        if self.state and self.has_state:
            disabled = Compare("active", "eq", False)
            terms.append(disabled if self.state == "disabled" else Not(disabled))
        return And(tuple(terms)) if terms else None

    def _searched(self) -> list[str]:
        """Return where a search looks: in the names, and in every column of text."""
        names = dict.fromkeys((*_SEARCHED, *self.columns))
        found = [(name, self.type.resolve(name)) for name in names]
        return [name for name, target in found if target and target.leaf.type == "string"]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list, and how many resources there are on all pages."""

    listing: Listing
    total: int
    documents: list[Document] = field(repr=False)

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(math.ceil(self.total / PAGE_SIZE), 1)

    @property
    def first(self) -> int:
        """The number of the first resource on this page."""
        return (self.listing.page - 1) * PAGE_SIZE + 1


def read_listing(type: ResourceType, given: MultiDict[str, str], columns: tuple[str, ...]) -> Listing:
    """Read what an address says; what makes no sense is left out."""
    page = given.get("page", "1")
    listing = Listing(
        type,
        columns,
        search=given.get("q", "").strip()[:LONGEST_SEARCH],
        state=given.get("state", "") if given.get("state") in ("active", "disabled") else "",
        descending=given.get("order") == "descending",
        page=max(int(page), 1) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
    )
    wanted = given.get("sort", "")
    return replace(listing, sort=wanted if wanted in column_names(type) else columns[0])


def find(resources: Resources, listing: Listing) -> Found:
    """Return the page that is asked for."""
    return _found(resources, listing, listing.query())


def find_all(resources: Resources, listing: Listing) -> Found:
    """Return what is on all pages together."""
    return _found(resources, listing, replace(listing.query(), start_index=1, count=NO_LIMIT))


def _found(resources: Resources, listing: Listing, query: Query) -> Found:
    answer = orjson.loads(resources.query([listing.type], query, b"", _projection(listing)))
    return Found(listing, answer["totalResults"], answer["Resources"])


def _projection(listing: Listing) -> Projection:
    return Projection(("id", "active", "meta.lastModified", *listing.columns))


def column_names(type: ResourceType) -> list[str]:
    """Return the attributes that can be columns, the common ones last: those with a value that fits into a cell."""
    targets = [target for target in type.targets() if _fits(target)]
    return [str(target) for target in sorted(targets, key=lambda target: target.attribute in type.common)]


def default_columns(type: ResourceType) -> tuple[str, ...]:
    """Return the columns of who has chosen none."""
    possible = column_names(type)
    return tuple(name for name in _FIRST if name in possible) or tuple(possible[:3])


def choices(type: ResourceType, names: Names) -> list[tuple[str, str]]:
    """Return the columns to choose from with their labels; those that the administrator has named come first."""
    targets = [target for name in column_names(type) if (target := type.resolve(name))]
    targets.sort(key=lambda target: not names.is_named(target))
    return [(str(target), names.label(target)) for target in targets]


def _fits(target: Target) -> bool:
    attribute, sub = target.attribute, target.sub
    assert attribute
    if attribute.returned == "never" or target.leaf.type in ("complex", "binary"):
        return False
    if attribute.name == "meta":
        return bool(sub and sub.name in _OF_META)
    if attribute.name in _LEFT_OUT:
        return False
    if sub is None:
        return True
    return sub.name == ("displayName" if attribute.refers_to else "value") or _is_part(attribute.name, sub.name)


def _is_part(name: str, sub: str) -> bool:
    return name == "name" and sub != "$ref"
