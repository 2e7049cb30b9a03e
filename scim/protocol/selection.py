"""How a PATCH path's filter selects elements: by their key if it can, and at which cost in steps."""

from collections.abc import Iterator
from typing import Any

from scim.filters import And, Compare, Filter, Not, Or
from scim.protocol.elements import weight
from scim.schema.attributes import Attribute, Key

DERIVING = 5  # steps to derive sub-attributes from the resource that an element refers to


def alternatives(filter: Filter, attribute: Attribute) -> Iterator[tuple[Filter, Key]]:
    """Yield the alternatives in a filter, each with the key of the `value` that it requires, or None."""
    terms = list(_terms(filter))
    keys = [_required_key(term, attribute) for term in terms]
    if None in keys:
        yield filter, None
    else:
        yield from zip(terms, keys, strict=True)


def _terms(filter: Filter) -> Iterator[Filter]:
    if isinstance(filter, Or):
        for term in filter.terms:
            yield from _terms(term)
    else:
        yield filter


def _required_key(term: Filter, attribute: Attribute) -> Key:
    match term:
        case And(terms):
            return next((key for inner in terms if (key := _required_key(inner, attribute)) is not None), None)
        case Compare(path, "eq", value) if path.lower() == "value":
            leaf = attribute.sub_attributes_by_name.get("value") if attribute.type == "complex" else attribute
            return leaf.key(value) if leaf else None
    return None


def steps_of(element: Any, attribute: Attribute) -> int:
    """Return the steps that it takes to match an element against a filter, besides those for its terms."""
    return weight(element) - 1 + deriving_steps(attribute)


def deriving_steps(attribute: Attribute) -> int:
    """Return the steps that it takes to derive what an element refers to."""
    return DERIVING if attribute.refers_to else 0


def size(filter: Filter) -> int:
    """Return how many terms a filter has."""
    match filter:
        case And(terms) | Or(terms):
            return sum(map(size, terms))
        case Not(term):
            return size(term)
    return 1
