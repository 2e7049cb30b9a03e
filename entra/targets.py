"""Target attribute names of a mapping: `userName`, `emails[type eq "work"].value`, `urn:...:attr`."""

import re
from dataclasses import dataclass
from typing import Any, Self

CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
IDMELON = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User"

Resource = dict[str, Any]
Selector = tuple[str, str]

_PATH = re.compile(
    r'(?P<name>[^.\[\]]+)(?:\[\s*(?P<key>\w+)\s+eq\s+"(?P<value>[^"]*)"\s*\])?(?:\.(?P<sub>[^.\[\]]+))?', re.I
)


@dataclass(frozen=True, slots=True)
class Target:
    """One attribute of the endpoint's resource, as the mapping names it."""

    text: str
    name: str
    urn: str | None = None
    selector: Selector | None = None
    sub: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a target attribute name. Raises ValueError if the name is malformed."""
        urn, name = _split_urn(text)
        if urn and urn not in (CORE_USER, CORE_GROUP):
            # A "." is part of the attribute's name: Entra does not support complex custom attributes.
            return cls(text, name, urn)
        match = _PATH.fullmatch(name)
        if match is None:
            raise ValueError(f"{text!r} is not a valid target attribute")
        selector = (match["key"], match["value"]) if match["key"] else None
        return cls(text, match["name"], None, selector, match["sub"])

    def read(self, resource: Resource) -> Any:
        """Return the resource's value, or None if it has none."""
        container = resource.get(self.urn) if self.urn else resource
        value = container.get(self.name) if isinstance(container, dict) else None
        if self.selector is not None:
            value = _select(value, self.selector)
        if self.sub is not None:
            value = value.get(self.sub) if isinstance(value, dict) else None
        return value

    def write(self, resource: Resource, value: Any) -> None:
        """Set the resource's value; create missing containers and the selected element."""
        container = resource.setdefault(self.urn, {}) if self.urn else resource
        if self.selector is not None:
            container = _select_or_add(container.setdefault(self.name, []), self.selector)
        elif self.sub is not None:
            container = container.setdefault(self.name, {})
        container[self.sub or self.name] = value


def _select(elements: Any, selector: Selector) -> Resource | None:
    key, value = selector
    for element in elements if isinstance(elements, list) else []:
        if isinstance(element, dict) and str(element.get(key, "")).casefold() == value.casefold():
            return element
    return None


def _select_or_add(elements: list[Resource], selector: Selector) -> Resource:
    found = _select(elements, selector)
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
