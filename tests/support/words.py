"""The words of the schemas and of the protocol, out of which tests make input."""

from tests.support.urns import ENT, GROUP, IDMELON, USER

NAMES = [
    *[
        "userName",
        "active",
        "title",
        "displayName",
        "password",
        "externalId",
        "id",
        "schemas",
        "meta",
        "groups",
    ],
    *[
        "name",
        "emails",
        "phoneNumbers",
        "addresses",
        "roles",
        "photos",
        "x509Certificates",
        "members",
        "manager",
    ],
    *["nickName", "description", "profileUrl", "locale", "entitlements", "ims", "unknown"],
]
SUBS = [
    "value",
    "type",
    "primary",
    "display",
    "$ref",
    "givenName",
    "formatted",
    "streetAddress",
    "created",
    "x",
]
URNS = [USER, GROUP, ENT, IDMELON, ENT.upper(), "urn:example:none"]
PARAMETERS = [
    "filter",
    "sortBy",
    "sortOrder",
    "startIndex",
    "count",
    "cursor",
    "attributes",
    "excludedAttributes",
]
