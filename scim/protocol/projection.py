"""Selects the returned attributes by `returned`, `attributes` and `excludedAttributes` (RFC 7644 section 3.9)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

from scim.errors import InvalidValue
from scim.filters import CACHED_LENGTH
from scim.protocol.leniency import STRICT, Leniency
from scim.schema.attributes import Attribute
from scim.schema.resource_types import ResourceType, Target
from scim.schema.values import is_unassigned
from storage.base import Document


@dataclass(frozen=True, slots=True)
class Projection:
    """The attributes that a client selects: only some, or the default ones except some; names as they were sent."""

    attributes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.attributes and self.excluded:
            raise InvalidValue('"attributes" and "excludedAttributes" exclude each other: send one of them.')

    def bind(self, type: ResourceType, leniency: Leniency = STRICT) -> "AttributeSelection":
        """Return the selection for one resource type. Unknown names select nothing."""
        length = sum(map(len, self.attributes + self.excluded))
        return (_bind if length > CACHED_LENGTH else _known)(self, type, leniency)


def _bind(projection: Projection, type: ResourceType, leniency: Leniency) -> "AttributeSelection":
    named, excluded = (
        [target for name in names if (target := type.resolve(leniency.name(type, name)))]
        for names in (projection.attributes, projection.excluded)
    )
    return AttributeSelection(type, named, excluded, bool(projection.attributes))


_known = lru_cache(maxsize=256)(_bind)  # requests contain any number of names: the cache is bounded

DEFAULT_PROJECTION = Projection()


class AttributeSelection:
    """The attributes of one resource type that are returned."""

    def __init__(self, type: ResourceType, named: list[Target], excluded: list[Target], only_named: bool) -> None:
        self._type = type
        self._named = _by_attribute(named)
        self._excluded = _by_attribute(excluded)
        self._named_extensions = {target.extension for target in named if target.attribute is None}
        self._excluded_extensions = {target.extension for target in excluded if target.attribute is None}
        self._only_named = only_named

    def includes(self, extension: str | None, attribute: Attribute) -> bool:
        """Return whether the attribute, or part of it, is returned."""
        if attribute.returned in ("always", "never"):
            return attribute.returned == "always"
        key = (extension, attribute.name)
        if self._only_named:
            return key in self._named or extension in self._named_extensions
        if extension in self._excluded_extensions or None in self._excluded.get(key, ()):
            return False
        return attribute.returned == "default"

    def project(self, document: Document) -> Document:
        """Return the selected parts of a complete resource, in its order."""
        return self._selection(document)

    @cached_property
    def _selection(self) -> "_Selection":
        (_, top), *extensions = [
            (extension, self._of(extension, those)) for extension, those in self._type.attributes_by_schema()
        ]
        return _Selection(top.whole, {**top.cut, **{str(extension): inner for extension, inner in extensions}})

    def _of(self, extension: str | None, attributes: Iterable[Attribute]) -> "_Selection":
        """Return the selection among the attributes of one schema."""
        included = [attribute for attribute in attributes if self.includes(extension, attribute)]
        names = {attribute.name: self._sub_names(extension, attribute) for attribute in included}
        cut = {name: partial(_cut, names=subs) for name, subs in names.items() if subs is not None}
        return _Selection(frozenset(names) - set(cut), cut)

    def _sub_names(self, extension: str | None, attribute: Attribute) -> set[str] | None:
        """Return the names of the selected sub-attributes, or None for all."""
        key = (extension, attribute.name)
        named, excluded = self._named.get(key, set()), self._excluded.get(key, set())
        if self._only_named and named and None not in named:
            return {
                sub.name
                for sub in attribute.sub_attributes
                if sub.returned == "always" or (sub.name in named and sub.returned != "never")
            }
        hidden = {
            sub.name
            for sub in attribute.sub_attributes
            if sub.returned in ("never", "request") or (sub.name in excluded and sub.returned != "always")
        }
        return {sub.name for sub in attribute.sub_attributes} - hidden if hidden else None


class _Selection:
    """The selected members of an object: some whole, some cut; empty ones are left out."""

    def __init__(self, whole: frozenset[str], cut: Mapping[str, Callable[[Any], Any]]) -> None:
        self.whole, self.cut = whole, cut
        self._names = whole.union(cut)

    def __call__(self, object: Mapping[str, Any]) -> dict[str, Any]:
        names = self._names
        kept = {name: value for name, value in object.items() if name in names and (value or not is_unassigned(value))}
        for name, cut in self.cut.items():
            if name in kept:
                kept[name] = cut(kept[name])
                if not kept[name]:
                    del kept[name]
        return kept


def _cut(value: Any, names: set[str]) -> Any:
    if isinstance(value, list):
        return [kept for element in value if (kept := _only(element, names))]
    return _only(value, names)


def _by_attribute(targets: list[Target]) -> dict[tuple[str | None, str], set[str | None]]:
    """Return the named sub-attributes by attribute; None stands for the whole attribute."""
    result: dict[tuple[str | None, str], set[str | None]] = {}
    for target in targets:
        if target.attribute:
            key = (target.extension, target.attribute.name)
            result.setdefault(key, set()).add(target.sub.name if target.sub else None)
    return result


def _only(element: Any, names: set[str]) -> dict[str, Any]:
    """Return the selected parts of an element; a value from before the attribute became complex has none."""
    return {name: value for name, value in element.items() if name in names} if isinstance(element, dict) else {}
