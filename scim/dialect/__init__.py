"""How Microsoft Entra ID speaks SCIM where that differs from RFC 7644, turned into what the RFC says.

Nearly everything here is a function from a request to the request that the RFC would have, and no other part of the
protocol decides by what Entra does. "Legacy" is what Entra sends by default, "flag" what it sends with
aadOptscim062020 in the Tenant URL; provisioning on demand ignores the flag, so one tenant sends both. Sources:
[use-scim] "Use SCIM to provision users and groups", [compat] "SCIM 2.0 protocol compliance of the Microsoft Entra
provisioning service", [attr] "Customize attribute mappings", [tests] the request templates of
AzureAD/SCIMReferenceCode; where it says "seen", requests that operators of other SCIM services have published.
"""

from scim.dialect.names import attribute_name, filter_tree
from scim.dialect.patch import new_element, patch_request
from scim.dialect.requests import (
    answers_patch_with_resource,
    bearer_token,
    bulk_request,
    normalise_url,
    search_request,
)
from scim.dialect.values import resource
from scim.protocol.leniency import Leniency

LENIENCY = Leniency(attribute_name, filter_tree, new_element)

__all__ = [
    "LENIENCY",
    "answers_patch_with_resource",
    "bearer_token",
    "bulk_request",
    "normalise_url",
    "patch_request",
    "resource",
    "search_request",
]
