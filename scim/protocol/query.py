"""Queries (RFC 7644 section 3.4.2): as they are sent, and as they are carried out."""

import math
from dataclasses import dataclass

from scim.filters import Filter
from scim.protocol.projection import DEFAULT_PROJECTION, Projection

MAX_START_INDEX = 2**53 - 1  # the largest integer that every JSON parser reads exactly


@dataclass(frozen=True, slots=True)
class Query:
    """A query within the service's limits. `cursor` is None for paging by index and "" for the first page by cursor.

    `max_steps` is how many steps the search may take, as `Budget` counts them.
    """

    filter: Filter | None = None
    sort_by: str | None = None
    descending: bool = False
    start_index: int = 1
    count: int = 100
    cursor: str | None = None
    max_steps: float = math.inf


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """The parameters of a query, as they were sent."""

    filter: Filter | None = None
    sort_by: str | None = None
    sort_order: str = "ascending"
    start_index: int = 1
    count: int | None = None
    cursor: str | None = None
    attributes: tuple[str, ...] = ()
    excluded_attributes: tuple[str, ...] = ()

    @property
    def projection(self) -> Projection:
        """Which attributes are returned. Raises InvalidValue."""
        if self.attributes or self.excluded_attributes:
            return Projection(self.attributes, self.excluded_attributes)
        return DEFAULT_PROJECTION

    def query(self, *, default_count: int, max_count: int, max_steps: float) -> Query:
        """Return the query; startIndex and count move to the nearest value in range (RFC 7644 section 3.4.2.4)."""
        return Query(
            filter=self.filter,
            sort_by=self.sort_by or None,
            descending=self.sort_order == "descending",
            start_index=min(max(self.start_index, 1), MAX_START_INDEX),
            count=min(max(default_count if self.count is None else self.count, 0), max_count),
            cursor=self.cursor,
            max_steps=max_steps,
        )
