"""Which attributes an answer has: `returned`, `attributes` and `excludedAttributes` (RFC 7644 section 3.9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from scim.attributes import Attribute
from scim.errors import InvalidValue
from scim.registry import ResourceType, Target
from scim.tolerance import STRICT, Tolerance
from storage.base import Document


@dataclass(frozen=True, slots=True)
class Projection:
    """What a client asked for: only these attributes, or the default ones without those; names as it wrote them."""

    attributes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.attributes and self.excluded:
            raise InvalidValue('"attributes" and "excludedAttributes" exclude each other: send one of them.')

    def bind(self, type: ResourceType, tolerance: Tolerance = STRICT) -> "Wanted":
        """Return what this means for one resource type. Names that it does not have select nothing."""
        return _everything(type) if self == EVERYTHING else self._bind(type, tolerance)

    def _bind(self, type: ResourceType, tolerance: Tolerance) -> "Wanted":
        named, excluded = (
            [target for name in names if (target := type.resolve(tolerance.name(type, name)))]
            for names in (self.attributes, self.excluded)
        )
        return Wanted(type, named, excluded, bool(self.attributes))


EVERYTHING = Projection()


class Wanted:
    """The attributes of one resource type that an answer has."""

    def __init__(self, type: ResourceType, named: list[Target], excluded: list[Target], only_named: bool) -> None:
        self._type = type
        self._named = _by_attribute(named)
        self._excluded = _by_attribute(excluded)
        self._named_extensions = {target.extension for target in named if target.attribute is None}
        self._excluded_extensions = {target.extension for target in excluded if target.attribute is None}
        self._only_named = only_named

    def includes(self, extension: str | None, attribute: Attribute) -> bool:
        """Tell whether the attribute, or a part of it, is in the answer."""
        if attribute.returned in ("always", "never"):
            return attribute.returned == "always"
        key = (extension, attribute.name)
        if self._only_named:
            return key in self._named or extension in self._named_extensions
        if extension in self._excluded_extensions or None in self._excluded.get(key, ()):
            return False
        return attribute.returned == "default"

    def project(self, document: Document) -> Document:
        """Return the parts of a complete resource that are in the answer, in the schemas' order."""
        result: Document = {}
        for extension, parts in self._plan:
            holder = document if extension is None else document.get(extension)
            if not holder:
                continue
            kept = {
                name: value
                for name, subs in parts
                if name in holder
                and (value := holder[name] if subs is None else _cut(holder[name], subs)) not in _NOTHING
            }
            if extension is None:
                result |= kept
            elif kept:
                result[extension] = kept
        return result

    @cached_property
    def _plan(self) -> list[tuple[str | None, list[tuple[str, set[str] | None]]]]:
        """For each place of attributes, those in the answer with their sub-attributes; None: all that there are."""
        return [
            (
                extension,
                [
                    (attribute.name, self._sub_names(extension, attribute))
                    for attribute in attributes
                    if self.includes(extension, attribute)
                ],
            )
            for extension, attributes in self._type.locations()
        ]

    def _sub_names(self, extension: str | None, attribute: Attribute) -> set[str] | None:
        """Return the sub-attributes in the answer; None: all that there are."""
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


@lru_cache(maxsize=256)
def _everything(type: ResourceType) -> Wanted:
    return Wanted(type, [], [], False)


def _cut(value: Any, names: set[str]) -> Any:
    if isinstance(value, list):
        return [kept for element in value if (kept := _only(element, names))]
    return _only(value, names)


_NOTHING: tuple[Any, ...] = ({}, [])


def _by_attribute(targets: list[Target]) -> dict[tuple[str | None, str], set[str | None]]:
    """Return the named sub-attributes by attribute; None among them stands for the whole attribute."""
    result: dict[tuple[str | None, str], set[str | None]] = {}
    for target in targets:
        if target.attribute:
            key = (target.extension, target.attribute.name)
            result.setdefault(key, set()).add(target.sub.name if target.sub else None)
    return result


def _only(element: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in element.items() if name in names}
