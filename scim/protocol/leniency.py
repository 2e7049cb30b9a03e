"""How requests are interpreted: strictly by RFC 7644, unless the injected dialect overrides a method."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scim.filters import Filter
from scim.protocol.paths import PatchOperation
from scim.schema.attributes import Attribute
from scim.schema.resource_types import ResourceType

Element = dict[str, Any]


MakeMissingElement = Callable[[Attribute, Filter, Attribute | None, Any], Element | None]
"""Returns the element that PATCH adds if a path's filter selects none; None is noTarget (RFC 7644 3.5.2.3)."""


class Leniency:
    """Interprets requests strictly. A dialect overrides these methods to accept more."""

    def bearer_token(self, header: str) -> tuple[str, bool]:
        """Return the token in an Authorization header, and whether its "Bearer" prefix was doubled."""
        scheme, _, token = header.strip().partition(" ")
        return (token.strip() if scheme.lower() == "bearer" else "", False)

    def is_probe(self, filter: str) -> bool:
        """Return whether a query's filter is the identity provider's test of the connection."""
        return False

    def answers_patch_with_resource(self, type: ResourceType) -> bool:
        """Return whether PATCH answers 200 with the resource instead of 204 (RFC 7644 section 3.5.2)."""
        return True

    def resource(self, type: ResourceType, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the resource in the body of a POST or PUT."""
        return dict(body)

    def patch_operations(self, type: ResourceType, operations: Iterable[PatchOperation]) -> Iterable[PatchOperation]:
        """Return the operations of a PATCH."""
        return operations

    def name(self, type: ResourceType, name: str) -> str:
        """Return an attribute's name."""
        return name

    def filter(self, type: ResourceType, tree: Filter) -> Filter:
        """Return the filter of a query."""
        return tree

    def make_missing_element(
        self, attribute: Attribute, filter: Filter, sub: Attribute | None, value: Any, /
    ) -> Element | None:
        """Return the element that PATCH adds if the filter selects none, or None."""
        return None


STRICT = Leniency()
