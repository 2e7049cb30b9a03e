"""Explains how to fix the cause of a failed request, in Entra or in the configuration."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from provisioning_log import portal
from provisioning_log.entries import Entry

_MAPPINGS = f"Entra's {portal.MAPPING}"


class _Rule(NamedTuple):
    """Advice on the failures with this status, scimType and detail; an empty text matches all.

    `{0}` in the advice is the first group of the pattern. Patterns are matched only at the beginning of the detail, so
    that the time is linear in its length.
    """

    status: int
    scim_type: str
    detail: str
    advice: str


_RULES = (
    _Rule(
        *(409, "uniqueness", r'Another Group has the displayName "(.*)"\.'),
        'A group "{0}" already exists here. If it is the same group, match groups by displayName in '
        f"{_MAPPINGS}. If not, rename one of them in Entra, or set unique_group_names = false under [directory].",
    ),
    _Rule(
        *(409, "uniqueness", r'Another (\w+) has the (\S+) "(.*)"\.'),
        'A {0} with the {1} "{2}" already exists here. If it is the same object, make {1} a matching attribute in '
        f"{_MAPPINGS} so that Entra finds it. If not, change the {{1}} of one of them in Entra.",
    ),
    _Rule(
        *(409, "", ".*bulkId"),
        "This operation refers to another one of the bulk request that failed. Fix that one; see its entry.",
    ),
    _Rule(
        *(409, "", ""),
        "Another object already has a value that must be unique. If it is the same object, make that attribute a "
        f"matching attribute in {_MAPPINGS}. If not, change the value of one of them in Entra.",
    ),
    _Rule(
        *(400, "invalidPath", r'There is no attribute "(.*)" in (\w+)'),
        f'Remove the mapping whose target is "{{0}}" in {_MAPPINGS}, or declare the attribute in a [[schemas]] table '
        "of the configuration. The page Unknown attributes has the table to paste.",
    ),
    _Rule(
        *(400, "invalidPath", ""),
        f"Correct the target attribute in {_MAPPINGS}: it is not valid, or names a part that the attribute lacks.",
    ),
    _Rule(
        *(400, "invalidValue", r"(\S+) is required"),
        "Fill in the source attribute of {0} for this user or group in Entra, or give its mapping a default value "
        "(“Default value if null”).",
    ),
    _Rule(
        *(400, "invalidValue", r"(\S+) must be (.*?)\.?$"),
        f"Change the expression for {{0}} in {_MAPPINGS}: its result must be {{1}}.",
    ),
    _Rule(
        *(400, "invalidValue", r'\S+ has more than one element whose "primary" is true'),
        f"Keep only one mapping whose target sets “primary” of this attribute in {_MAPPINGS}.",
    ),
    _Rule(
        *(400, "invalidValue", ""),
        f"Find the value that the response names in the request, and change the mapping that sends it in {_MAPPINGS}.",
    ),
    _Rule(
        *(400, "mutability", r"(\S+) is required and cannot be removed"),
        "Fill in the source attribute of {0} for this user or group in Entra: it is empty there, but {0} is required.",
    ),
    _Rule(
        *(400, "mutability", r"(\S+) is (?:readOnly|immutable)"),
        f'Remove the mapping whose target is "{{0}}" in {_MAPPINGS}, or apply it only during object creation: this '
        "service sets the value, or does not allow it to change.",
    ),
    _Rule(
        *(400, "noTarget", ""),
        f"Select {portal.RESTART} in Entra so that it reads the object again: the value to change does not exist here.",
    ),
    _Rule(
        *(400, "invalidFilter", ""),
        f"Choose a matching attribute that this service supports in {_MAPPINGS}, such as userName or externalId.",
    ),
    _Rule(
        *(400, "", "The sign-in"),
        f"Choose {portal.CLIENT_CREDENTIALS} or {portal.WORKLOAD_IDENTITY} as the authentication method in Entra, with "
        "the scope “scim” or none.",
    ),
    _Rule(
        *(400, "", ""),
        "No setting in Entra causes this request. If Entra sent it, report it together with the request shown here. If "
        "another client sent it, fix that client.",
    ),
    _Rule(
        *(401, "", "The sign-in.*refused: the assertion.*clock"),
        "Compare this server's clock with the real time, and let a time service such as chrony or systemd-timesyncd "
        "set it. It may be off by a minute.",
    ),
    _Rule(
        *(401, "", "The sign-in.*refused: the assertion.*(?:its key|signature)"),
        "Compare the JWKS URL of the client with the one that Entra shows. If they are the same, the issuer has "
        "changed its keys: they are fetched again within a minute.",
    ),
    _Rule(
        *(401, "", "The sign-in"),
        "Enter the client's ID and a valid secret (New secret under OAuth clients in the panel, or `flask client "
        f"secret ID`) in Entra's {portal.CONNECTIVITY}. Of a workload identity, compare the four values. Then select "
        f"{portal.TEST}.",
    ),
    _Rule(
        *(401, "", "The access token's client"),
        "Create another secret (`flask client secret ID`, or `flask client new --name NAME` if the client was "
        f"revoked), enter it in Entra's {portal.CONNECTIVITY}, and select {portal.TEST}.",
    ),
    _Rule(
        *(401, "", ""),
        "Create a new token (New SCIM token in the panel, or `flask token new --name NAME`), paste it as the "
        f"{portal.SECRET_TOKEN} into Entra's {portal.CONNECTIVITY}, and select {portal.TEST}.",
    ),
    _Rule(
        *(403, "", r'The token "(.*)" may only read'),
        'Give this client another token: "{0}" was created with --read-only.',
    ),
    _Rule(
        *(403, "", "(?i).*(?:turned off|is off|connection)"),
        "Turn on the connection on the panel's connection page, or with enabled = true under [connection].",
    ),
    _Rule(403, "", "", "Change the request in the client: this service never allows it."),
    _Rule(
        *(404, "", r"There is no \w+ with the id"),
        "Entra uses the ID of a deleted object. Restart its job with Microsoft Graph: `POST "
        '/servicePrincipals/ID/synchronization/jobs/JOB-ID/restart` with `{{"criteria": {{"resetScope": "Full"}}}}`. '
        f"{portal.RESTART} alone keeps such links.",
    ),
    _Rule(
        *(404, "", ""),
        f"Compare the {portal.TENANT_URL} in Entra's {portal.CONNECTIVITY} with the SCIM URL on the panel's connection "
        "page: this service has no such path.",
    ),
    _Rule(
        *(405, "", ""),
        f"Compare the {portal.TENANT_URL} in Entra's {portal.CONNECTIVITY} with the SCIM URL on the panel's connection "
        "page: the path exists, but does not support this method.",
    ),
    _Rule(
        *(412, "", ""),
        "No action needed: another request changed the resource first. The client reads it again and retries.",
    ),
    _Rule(
        *(413, "", ".*maxOperations"),
        "Raise max_bulk_operations under [limits] in the configuration, or send fewer operations at once.",
    ),
    _Rule(413, "", "", "Raise max_body_bytes under [server] in the configuration, or send smaller requests."),
    _Rule(415, "", "", "Configure the client to send JSON with the Content-Type application/scim+json."),
    _Rule(
        501, "", "", "No action needed: this service does not implement this SCIM endpoint, and Entra does not use it."
    ),
    _Rule(
        *(429, "", "The sign-in"),
        "Too many sign-ins failed before this one. The entries before it say why. A right secret or assertion is "
        "accepted at once.",
    ),
    _Rule(
        *(503, "", "The sign-in"),
        "Let this server connect to the JWKS URL of the client, directly or through the proxy in HTTPS_PROXY. Entra "
        "retries automatically.",
    ),
    _Rule(
        *(503, "", ""),
        "See the service's log: the file set under [store] could not be read or written. Nothing was changed, and "
        "Entra retries automatically.",
    ),
    _Rule(
        *(507, "", ""),
        "Free some space on the disk with the file set under [store]. Nothing was changed, and Entra retries "
        "automatically.",
    ),
)
_DEFAULT = "Find this request ID in the service's log to see the error. Entra retries automatically."


def advice(entry: Entry) -> str:
    """Return what to do after a failure, or an empty text if the entry is not a failure."""
    if not entry.failed:
        return ""
    body = entry.response if isinstance(entry.response, Mapping) else {}
    scim_type, detail = str(body.get("scimType", "")), entry.reason or str(body.get("detail", ""))
    for rule in _RULES:
        if rule.status == entry.status and rule.scim_type in ("", scim_type):
            match = re.match(rule.detail, detail, re.DOTALL)
            if match:
                return rule.advice.format(*match.groups())
    return _DEFAULT
