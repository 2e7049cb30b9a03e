"""Adds derived attributes to stored resources and to filters, and removes them before a write."""

from collections.abc import Container, Iterable, Sequence, Sized
from functools import cache, lru_cache, partial
from itertools import chain
from typing import Any

from scim.budget import Budget
from scim.directory.context import ReadContext
from scim.directory.derived import AttributeKey, DerivedAttribute, derived_attributes
from scim.filters import FindDerived, remember_last
from scim.protocol.leniency import Element
from scim.protocol.projection import AttributeSelection
from scim.schema.resource_types import MEMBERS, Registry, ResourceType, Target
from scim.schema.validation import set_schemas
from storage.base import Document, StoredDocument

_STEPS = 5  # of a budget, for each element: it takes about as long to read another document


class Relations(ReadContext):
    """Derives attributes from the documents that a reader sees."""

    def find_derived(self, type: ResourceType, budget: Budget) -> FindDerived:
        """Return the derived attributes of a type for one query, which computes each once for each document."""
        return cache(partial(self._bound, derived_attributes(type, self.registry), budget))

    def wanted_attributes(self, type: ResourceType, wanted: AttributeSelection) -> tuple[DerivedAttribute, ...]:
        """Return the selected derived attributes of a type, for `complete`."""
        return _wanted(type, self.registry, wanted)

    def prefetch(self, documents: Sequence[Document], wanted: Iterable[DerivedAttribute]) -> None:
        """Read ahead what the derived attributes of some documents need, if that saves round trips."""
        if self.reader.is_remote:
            for derived in wanted:
                derived.prefetch(self, documents)

    def complete(self, document: Document, wanted: Iterable[DerivedAttribute]) -> Document:
        """Return the resource with these derived attributes added."""
        result = dict(document)
        for derived in wanted:
            elements = list(derived.elements(self, document))
            if not elements:
                continue
            value: Any = elements if derived.attribute.multi_valued else elements[0]
            if derived.extension:
                result[derived.extension] = {**result[derived.extension], derived.name: value}
            else:
                result[derived.name] = value
        return result

    def member(self, type: ResourceType, membership: Document) -> Element:
        """Return a membership as the element of `members` that clients see."""
        return derived_attributes(type, self.registry)[None, MEMBERS].element(self, membership)

    def answered(self, type: ResourceType, target: Target, element: Any) -> Any:
        """Return an element as clients see it: with derived sub-attributes if it refers to a resource."""
        assert target.attribute
        derived = derived_attributes(type, self.registry).get((target.extension, target.attribute.name))
        return derived.element(self, element) if derived else element

    def _bound(
        self, derived: dict[AttributeKey, DerivedAttribute], budget: Budget, extension: str | None, name: str
    ) -> "_BoundDerived | None":
        found = derived.get((extension, name))
        return _BoundDerived(self, found, budget) if found else None


class _BoundDerived:
    """A derived attribute within one query: computed once for each document and charged to the budget."""

    def __init__(self, relations: Relations, derived: DerivedAttribute, budget: Budget) -> None:
        self._relations, self._derived, self._budget = relations, derived, budget
        self.elements = remember_last(self._elements)
        self._values = remember_last(self._all_values)

    def has(self, document: Document, value: str) -> bool:
        return self._derived.key(value) in self._values(document)

    def find(self, value: str) -> Iterable[StoredDocument] | None:
        return self._derived.find(self._relations, value)

    def _elements(self, document: Document) -> list[Element]:
        found = []
        self._budget.spend(_STEPS * self._derived.steps(self._relations, document))
        for element in self._derived.elements(self._relations, document):
            self._budget.spend(_STEPS)  # before deriving the next one: there may be many
            found.append(element)
        return found

    def _all_values(self, document: Document) -> Container[str]:
        values = self._derived.values(self._relations, document)
        steps = self._derived.steps(self._relations, document) + (len(values) if isinstance(values, Sized) else 0)
        self._budget.spend(_STEPS * steps)
        return values


@lru_cache(maxsize=256)
def _wanted(type: ResourceType, registry: Registry, wanted: AttributeSelection) -> tuple[DerivedAttribute, ...]:
    every = derived_attributes(type, registry).values()
    return tuple(one for one in every if wanted.includes(one.extension, one.attribute))


def strip_derived(type: ResourceType, registry: Registry, document: Document) -> tuple[Document, list[Element]]:
    """Return the resource without derived attributes, and the elements stored elsewhere (members)."""
    stored = dict(document)
    apart = [derived.strip_derived(stored) for derived in derived_attributes(type, registry).values()]
    set_schemas(type, stored)
    return stored, list(chain.from_iterable(apart))
