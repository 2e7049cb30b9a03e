"""A validated query (RFC 7644 section 3.4.2)."""

import math
from dataclasses import dataclass

from scim.filters import Filter


@dataclass(frozen=True, slots=True)
class Query:
    """A validated query. `cursor` is None for paging by index, "" for the first page by cursor.

    `max_steps` is how many steps the search may take, as `Budget` counts them.
    """

    filter: Filter | None = None
    sort_by: str | None = None
    descending: bool = False
    start_index: int = 1
    count: int = 100
    cursor: str | None = None
    max_steps: float = math.inf
