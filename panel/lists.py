"""Lists of resources: search, sort, columns and pages from the query string."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from panel.names import Names
from scim.directory.lists import ListQuery
from scim.directory.resources import Resources
from scim.directory.service import Service
from scim.protocol.projection import Projection
from scim.schema.resource_types import ResourceType, Target
from storage.base import Document

PAGE_SIZE = 50
MAX_SEARCH_LENGTH = 200
_DEFAULT_COLUMNS = ("userName", "displayName", "emails.value", "description")
_NAMES = ("displayName", "userName")
_EXCLUDED = ("schemas", "groups", "members", "active", "meta")
_META_COLUMNS = ("created", "lastModified")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list to show; `columns` and `sort` are attributes in SCIM notation."""

    type: ResourceType
    columns: tuple[str, ...]
    search: str = ""
    state: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1

    @property
    def has_state(self) -> bool:
        """Whether the resource type has the attribute "active"."""
        return self.type.resolve("active") is not None

    def targets(self) -> list[Target]:
        """Return the attributes of the columns."""
        return [target for name in self.columns if (target := self.type.resolve(name))]

    def query(self) -> ListQuery:
        """Return the query for the list."""
        target = self.type.resolve(self.sort)
        assert target
        active = {"active": True, "disabled": False}.get(self.state) if self.has_state else None
        return ListQuery(tuple(self.targets()), target, self.descending, self.search, active)

    def named_columns(self) -> tuple[list[Target], list[Target]]:
        """Return the columns that are shown as the resource's name, and the others."""
        targets = self.targets()
        names = sorted((each for each in targets if str(each) in _NAMES), key=lambda each: _NAMES.index(str(each)))
        first = names or targets[:1]
        return first, [each for each in targets if each not in first]

    def parameters(self, **changed: Any) -> dict[str, Any]:
        """Return this list's query parameters with some of them changed."""
        parameters = {
            "q": self.search,
            "state": self.state,
            "sort": self.sort,
            "order": "descending" if self.descending else "",
            **changed,
        }
        return {name: value for name, value in parameters.items() if value}


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list, and the number of resources on all pages."""

    listing: Listing
    total: int
    documents: list[Document] = field(repr=False)

    @property
    def pages(self) -> int:
        """The number of pages."""
        return max(math.ceil(self.total / PAGE_SIZE), 1)

    @property
    def first(self) -> int:
        """The number of the first resource on this page."""
        return (self.listing.page - 1) * PAGE_SIZE + 1


def read_listing(type: ResourceType, args: MultiDict[str, str], columns: tuple[str, ...]) -> Listing:
    """Read a listing from query parameters; invalid ones are ignored."""
    page = args.get("page", "1")
    listing = Listing(
        type,
        columns,
        search=args.get("q", "").strip()[:MAX_SEARCH_LENGTH],
        state=args.get("state", "") if args.get("state") in ("active", "disabled") else "",
        descending=args.get("order") == "descending",
        page=max(int(page), 1) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
    )
    sort = args.get("sort", "")
    return replace(listing, sort=sort if sort in column_names(type) else columns[0])


def find(resources: Resources, listing: Listing, *, all_pages: bool = False) -> Found:
    """Return the requested page, or all pages as one."""
    projection = Projection(("id", "active", "userName", "displayName", "meta.lastModified", *listing.columns))
    start, count = (0, None) if all_pages else ((listing.page - 1) * PAGE_SIZE, PAGE_SIZE)
    return Found(listing, *resources.page(listing.type, listing.query(), projection, start, count))


def prepare(service: Service) -> None:
    """Read all resources once, so that the first list after a start does not have to."""
    for type in service.registry.types.values():
        service.resources("").prepare_lists(type, Listing(type, default_columns(type)).targets())


def column_names(type: ResourceType) -> list[str]:
    """Return the attributes that can be columns, the common ones last."""
    targets = [target for target in type.targets() if _fits(target)]
    return [str(target) for target in sorted(targets, key=lambda target: target.attribute in type.common)]


def default_columns(type: ResourceType) -> tuple[str, ...]:
    """Return the columns to show until others are chosen."""
    available = column_names(type)
    return tuple(name for name in _DEFAULT_COLUMNS if name in available) or tuple(available[:3])


def choices(type: ResourceType, names: Names) -> list[tuple[str, str]]:
    """Return the available columns with their labels, custom names first."""
    targets = [target for name in column_names(type) if (target := type.resolve(name))]
    targets.sort(key=lambda target: not names.is_named(target))
    return [(str(target), names.label(target)) for target in targets]


def _fits(target: Target) -> bool:
    attribute, sub = target.attribute, target.sub
    assert attribute
    if attribute.returned == "never" or target.leaf.type in ("complex", "binary"):
        return False
    if attribute.name == "meta":
        return bool(sub and sub.name in _META_COLUMNS)
    if attribute.name in _EXCLUDED:
        return False
    if sub is None or (attribute.name == "name" and sub.name != "$ref"):
        return True
    return sub.name == ("displayName" if attribute.refers_to else "value")
