"""The three hooks through which a client may be read more leniently than RFC 7644 does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scim.filters import Filter
from scim.schema.attributes import Attribute
from scim.schema.resource_types import ResourceType

Element = dict[str, Any]
MakeMissingElement = Callable[[Attribute, Filter, Attribute | None, Any], Element | None]
"""Makes the element that PATCH adds where a path's filter selects none, from the attribute, the filter, the
sub-attribute and the value; None leaves it at noTarget (RFC 7644 section 3.5.2.3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Leniency:
    """How names, filters and PATCH paths are read; the defaults are strict."""

    name: Callable[[ResourceType, str], str] = lambda type, name: name
    filter: Callable[[ResourceType, Filter], Filter] = lambda type, tree: tree
    make_missing_element: MakeMissingElement = lambda attribute, filter, sub, value: None


STRICT = Leniency()
