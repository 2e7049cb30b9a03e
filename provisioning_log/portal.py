"""The pages of the Microsoft Entra admin center: today's names, the older portal's, and links."""

from typing import NamedTuple

ADMIN_CENTER = "https://entra.microsoft.com"
_DOCUMENTATION = "https://learn.microsoft.com/en-us/entra/identity"


class Page(NamedTuple):
    """A page as its menu path. `older` is the path in the older portal if it differs."""

    path: str
    older: str = ""
    link: str = ""

    def __str__(self) -> str:
        return f"{self.path} (formerly {self.older})" if self.older else self.path


APPLICATIONS = Page(
    "Entra ID > Enterprise apps",
    "Identity > Applications > Enterprise applications",
    f"{ADMIN_CENTER}/#view/Microsoft_AAD_IAM/StartboardApplicationsMenuBlade/~/AppAppsPreview",
)
NEW_APPLICATION = Page("New application > Create your own application")
NON_GALLERY = "Integrate any other application you don't find in the gallery (Non-gallery)"

# The pages of the application.
NEW_CONFIGURATION = Page("Provisioning > New configuration", "Provisioning > Get started")
CONNECTIVITY = Page("Provisioning > Connectivity", "Provisioning > Admin Credentials")
MAPPING = Page("Provisioning > Attribute mapping", "Provisioning > Mappings")
USER_MAPPING = Page("Attribute mapping > Users", "Mappings > Provision Microsoft Entra ID Users")
GROUP_MAPPING = Page("Attribute mapping > Groups", "Mappings > Provision Microsoft Entra ID Groups")
ATTRIBUTE_LIST = Page(
    "Advanced Options > Edit target User attributes",
    "Show advanced options > Edit attribute list for customappsso",
)
SCHEMA = Page("Advanced Options > Edit schema", "Show advanced options > Review your schema here")
SCOPE = Page("Provisioning > Scoping filters", "Provisioning > Settings")
ASSIGNMENT = Page("Users and groups > Add user/group")
ON_DEMAND = Page("Provision on demand")
PROPERTIES = Page("Overview > Properties", "Provisioning > Settings")
START = Page("Overview > Start provisioning", "Provisioning > Provisioning Status: On")
RESTART = Page("Restart provisioning")
LOGS = Page("Provisioning logs")

# The fields and buttons on them.
TENANT_URL = "Tenant URL"
SECRET_TOKEN = "Secret Token"  # noqa: S105  # a label
TEST = "Test Connection"
AUTHENTICATION_METHOD = "Authentication method"
CLIENT_CREDENTIALS = "OAuth2 client credentials grant"
CREDENTIALS_SENT = "How credentials are sent"
SCOPES = "OAuth 2.0 scopes"
WORKLOAD_IDENTITY = "Workload Identity Federation"
SELECT_WORKLOAD_IDENTITY = "Select Workload Identity"
TOKEN_ENDPOINT = "OAuth token endpoint"  # noqa: S105  # a label
CLIENT_ID = "Client ID"
CLIENT_SECRET = "Client Secret"  # noqa: S105  # a label

# The fields of a workload identity: Entra shows the first four and asks for the others, with names of their own.
ISSUER = "Issuer (iss)"
JWKS_URL = "JWKS URL"
SUBJECT = "Subject (sub)"
AUDIENCE = "Audience (aud)"
CLIENT_IDENTIFIER = "Client Identifier"
FEDERATION_TOKEN_ENDPOINT = "Token Endpoint"  # noqa: S105  # a label
SCIM_URL = "SCIM URL"

# Shows the advanced options where the portal hides them.
SCHEMA_EDITOR_LINK = "https://portal.azure.com/?Microsoft_AAD_Connect_Provisioning_forceSchemaEditorEnabled=true"

# Microsoft's own pages about these steps.
DOCUMENTATION = f"{_DOCUMENTATION}/app-provisioning/use-scim-to-provision-users-and-groups"
AGENT_DOCUMENTATION = f"{_DOCUMENTATION}/app-provisioning/on-premises-scim-provisioning"
ASSIGNMENT_DOCUMENTATION = f"{_DOCUMENTATION}/enterprise-apps/assign-user-or-group-access-portal"
