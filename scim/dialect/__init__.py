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

from scim.dialect.names import attribute_name, filter_tree
from scim.dialect.patch import new_element, patch_operations
from scim.dialect.requests import bearer_token, is_probe, normalise_url
from scim.dialect.values import resource
from scim.protocol.leniency import Leniency
from scim.schema.resource_types import GROUP, ResourceType

__all__ = ["ENTRA", "EntraDialect", "normalise_url"]


class EntraDialect(Leniency):
    """Interprets the requests of Entra and other clients."""

    bearer_token = staticmethod(bearer_token)
    is_probe = staticmethod(is_probe)
    resource = staticmethod(resource)
    patch_operations = staticmethod(patch_operations)
    name = staticmethod(attribute_name)
    filter = staticmethod(filter_tree)
    make_missing_element = staticmethod(new_element)

    def answers_patch_with_resource(self, type: ResourceType) -> bool:
        """Return True except for groups, which can be large: for them PATCH answers 204 [use-scim]."""
        return type.name != GROUP


ENTRA = EntraDialect()
