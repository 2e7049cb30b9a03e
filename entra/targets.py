"""Target attribute names of a mapping: `userName`, `emails[type eq "work"].value`, `urn:...:attr`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
IDMELON = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User"

Resource = dict[str, Any]

_PATH = re.compile(
    r'(?P<name>[^.\[\]]+)(?:\[\s*(?P<key>\w+)\s+eq\s+"(?P<value>[^"]*)"\s*\])?(?:\.(?P<sub>[^.\[\]]+))?', re.I
)


@dataclass(frozen=True, slots=True)
class Target:
    """One attribute of the endpoint's resource, as the mapping names it."""

    text: str
    name: str
    urn: str | None = None
    selector: tuple[str, str] | None = None
    sub: str | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a target attribute name. Raises ValueError when it is none."""
        urn, name = _split_urn(text)
        if urn and urn not in (CORE_USER, CORE_GROUP):
            # A "." belongs to the attribute's own name: complex custom attributes are not supported by Entra.
            return cls(text, name, urn)
        match = _PATH.fullmatch(name)
        if match is None:
            raise ValueError(f"{text!r} is not a target attribute that Entra could write")
        key, value = match["key"], match["value"]
        return cls(text, match["name"], None, (key, value) if key else None, match["sub"])

    def read(self, resource: Resource) -> Any:
        """Give what the resource holds here; None when it holds nothing."""
        value: Any = self._container(resource).get(self.name)
        if self.selector is not None:
            value = _chosen(value, self.selector)
        if self.sub is not None:
            value = value.get(self.sub) if isinstance(value, dict) else None
        return value

    def write(self, resource: Resource, value: Any) -> None:
        """Put a value here, making the containers and the chosen element that are not there yet."""
        container = resource.setdefault(self.urn, {}) if self.urn else resource
        if self.selector is not None:
            container = _element(container.setdefault(self.name, []), self.selector)
        elif self.sub is not None:
            container = container.setdefault(self.name, {})
        container[self.sub or self.name] = value

    def _container(self, resource: Resource) -> Resource:
        inner = resource.get(self.urn) if self.urn else resource
        return inner if isinstance(inner, dict) else {}


def _chosen(elements: Any, selector: tuple[str, str]) -> Resource | None:
    key, value = selector
    for element in elements if isinstance(elements, list) else []:
        if isinstance(element, dict) and str(element.get(key, "")).casefold() == value.casefold():
            return element
    return None


def _element(elements: list[Resource], selector: tuple[str, str]) -> Resource:
    found = _chosen(elements, selector)
    if found is None:
        key, value = selector
        found = {key: value.casefold() == "true" if key == "primary" else value}
        elements.append(found)
    return found


def _split_urn(text: str) -> tuple[str | None, str]:
    if not text.lower().startswith("urn:"):
        return None, text
    head, bracket, tail = text.partition("[")
    urn, _, name = head.rpartition(":")
    return urn, name + bracket + tail
