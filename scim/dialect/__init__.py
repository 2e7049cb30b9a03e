"""Rewrites requests of Microsoft Entra ID and other clients as RFC 7644 has them.

No other package depends on how Entra deviates from the RFC. Entra sends the "legacy" form by default and the "flag"
form with aadOptscim062020 in the Tenant URL. Provisioning on demand ignores the flag, so one tenant sends both.

Sources in the comments:
- [use-scim]: Microsoft, "Use SCIM to provision users and groups"
- [compat]: Microsoft, "SCIM 2.0 protocol compliance of the Microsoft Entra provisioning service"
- [attr]: Microsoft, "Customize attribute mappings"
- [tests]: the request templates of AzureAD/SCIMReferenceCode
- seen: requests that operators of other SCIM services have published
"""

from collections.abc import Iterable, Mapping
from typing import Any

from scim.dialect.names import attribute_name, filter_tree
from scim.dialect.patch import new_element, patch_operations
from scim.dialect.requests import bearer_token, is_probe, normalise_url
from scim.dialect.values import resource
from scim.filters import Filter
from scim.protocol.leniency import Element, Leniency
from scim.protocol.paths import PatchOperation
from scim.schema.attributes import Attribute
from scim.schema.resource_types import GROUP, ResourceType

__all__ = ["ENTRA", "EntraDialect", "normalise_url"]


class EntraDialect(Leniency):
    """Interprets the requests of Entra and other clients."""

    def bearer_token(self, header: str) -> tuple[str, bool]:
        """Return the token in an Authorization header, and whether its "Bearer" prefix was doubled."""
        return bearer_token(header)

    def is_probe(self, filter: str) -> bool:
        """Return whether a query looks for a user or group with a random GUID as its name."""
        return is_probe(filter)

    def answers_patch_with_resource(self, type: ResourceType) -> bool:
        """Return True except for groups, which can be large: for them PATCH answers 204 [use-scim]."""
        return type.name != GROUP

    def resource(self, type: ResourceType, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the resource in the body of a POST or PUT."""
        return resource(type, body)

    def patch_operations(self, type: ResourceType, operations: Iterable[PatchOperation]) -> Iterable[PatchOperation]:
        """Return the operations of a PATCH as RFC 7644 has them."""
        return patch_operations(type, operations)

    def name(self, type: ResourceType, name: str) -> str:
        """Return an attribute's name in RFC 7644's notation."""
        return attribute_name(type, name)

    def filter(self, type: ResourceType, tree: Filter) -> Filter:
        """Return the filter of a query as RFC 7644 has it."""
        return filter_tree(type, tree)

    def make_missing_element(
        self, attribute: Attribute, filter: Filter, sub: Attribute | None, value: Any, /
    ) -> Element | None:
        """Return the element that PATCH adds if the filter selects none, or None."""
        return new_element(attribute, filter, sub, value)


ENTRA = EntraDialect()
