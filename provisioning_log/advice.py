"""Says what to change, in Entra or in the configuration, so that a request that failed will not fail again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from provisioning_log.entries import Entry

_MAPPING = "Entra's Provisioning > Mappings"


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which failures it is about, and the sentence; `{0}` in it is the first group of the pattern.

    Patterns are matched at the beginning of the detail, which takes time in proportion to its length: searching from
    each place would take the square of it.
    """

    status: int
    scim_type: str
    detail: str
    advice: str


_RULES = (
    _Rule(
        409,
        "uniqueness",
        r'Another Group has the displayName "(.*)"\.',
        'There is a group "{0}" here already. If it is the same group, match groups by displayName in '
        f"{_MAPPING}; if not, rename one of them in Entra, or set unique_group_names = false under [directory].",
    ),
    _Rule(
        409,
        "uniqueness",
        r'Another (\w+) has the (\S+) "(.*)"\.',
        'There is a {0} with the {1} "{2}" here already. If it is the same one, make {1} a matching attribute in '
        f"{_MAPPING}, so that Entra finds it; if not, change the {{1}} of one of them in Entra.",
    ),
    _Rule(
        409,
        "",
        ".*bulkId",
        "An operation of the same bulk request that this one refers to failed: see its entry, and correct that one.",
    ),
    _Rule(
        409,
        "",
        "",
        "Somebody here has a value that only one may have. If it is the same one, make that attribute a matching one "
        f"in {_MAPPING}; if not, change the value of one of them in Entra.",
    ),
    _Rule(
        400,
        "invalidPath",
        r'There is no attribute "(.*)" in (\w+)',
        f'Remove the mapping whose target is "{{0}}" in {_MAPPING}, or declare the attribute in a [[schemas]] table of '
        "the configuration: the log's warnings have the table to paste.",
    ),
    _Rule(
        400,
        "invalidPath",
        "",
        f"Correct the target attribute in {_MAPPING}: it names a part that the attribute does not have, or cannot be "
        "read.",
    ),
    _Rule(
        400,
        "invalidValue",
        r"(\S+) is required",
        "Fill in the source of {0} for this person in Entra, or give its mapping a default value "
        "(“Default value if null”).",
    ),
    _Rule(
        400,
        "invalidValue",
        r"(\S+) must be (.*?)\.?$",
        f"Change the expression that {_MAPPING} has for {{0}}: what it gives must be {{1}}.",
    ),
    _Rule(
        400,
        "invalidValue",
        r'\S+ has more than one element whose "primary" is true',
        f"Leave one mapping alone whose target sets “primary” of this attribute, in {_MAPPING}.",
    ),
    _Rule(
        400,
        "invalidValue",
        "",
        f"Look in the request for the value that the answer names, and change the mapping that sends it in {_MAPPING}.",
    ),
    _Rule(
        400,
        "mutability",
        r"(\S+) is required and cannot be removed",
        "Fill in the source of {0} for this person in Entra: it is empty there, and a {0} is needed here.",
    ),
    _Rule(
        400,
        "mutability",
        r"(\S+) is (?:readOnly|immutable)",
        f'Remove the mapping whose target is "{{0}}" in {_MAPPING}, or let it apply only during object creation: this '
        "service sets or fixes the value itself.",
    ),
    _Rule(
        400,
        "noTarget",
        "",
        "Restart provisioning in Entra, so that it reads the object anew: it wants to change a value that is not here.",
    ),
    _Rule(
        400,
        "invalidFilter",
        "",
        f"Choose a matching attribute that this service has in {_MAPPING}, such as userName or externalId.",
    ),
    _Rule(
        400,
        "",
        "",
        "Nothing in Entra's settings makes such a request. If it was Entra that sent it, report it with the request "
        "shown here; if it was another client, correct that one.",
    ),
    _Rule(
        401,
        "",
        "",
        "Make a new token (the panel's New SCIM token, or `flask token new --name entra`) and paste it into Entra's "
        "Provisioning > Admin Credentials > Secret Token, then press Test Connection.",
    ),
    _Rule(
        403,
        "",
        r'The token "(.*)" may only read',
        'Give this client another token: "{0}" was made with --read-only.',
    ),
    _Rule(
        403,
        "",
        "(?i).*(?:turned off|is off|connection)",
        "Turn the connection on, on the panel's connection page or with enabled = true under [connection].",
    ),
    _Rule(403, "", "", "Let the client ask for something else: this service never allows that."),
    _Rule(
        404,
        "",
        r"There is no \w+ with the id",
        "Restart provisioning in Entra, so that it matches everybody anew: it has kept the id of somebody who is no "
        "longer here.",
    ),
    _Rule(
        404,
        "",
        "",
        "Compare Entra's Provisioning > Admin Credentials > Tenant URL with the SCIM URL on the panel's connection "
        "page: this address is none of the service's.",
    ),
    _Rule(
        405,
        "",
        "",
        "Compare Entra's Tenant URL with the SCIM URL on the panel's connection page: the path is there, but not for "
        "this kind of request.",
    ),
    _Rule(412, "", "", "Nothing: somebody else was faster, and the client reads the resource anew and tries again."),
    _Rule(
        413,
        "",
        ".*maxOperations",
        "Raise max_bulk_operations under [limits] in the configuration, or let the client send fewer at once.",
    ),
    _Rule(
        413, "", "", "Raise max_body_bytes under [server] in the configuration, or let the client send less at once."
    ),
    _Rule(415, "", "", "Let the client send JSON, with the Content-Type application/scim+json."),
    _Rule(501, "", "", "Nothing: SCIM has this endpoint, this service does not, and Entra does not use it."),
    _Rule(
        503,
        "",
        "",
        "Look at the service's own log: the file that [store] names could not be read or written. Nothing was changed, "
        "and Entra tries again by itself.",
    ),
    _Rule(
        507,
        "",
        "",
        "Make room on the disk with the file that [store] names. Nothing was changed, and Entra tries again by itself.",
    ),
)
_OTHERWISE = (
    "Look at the service's own log, at this request's id: it says what went wrong. Entra tries again by itself."
)


def advice(entry: Entry) -> str:
    """Return what to change after a failure, in a sentence; nothing where nothing failed."""
    if not entry.failed:
        return ""
    answer = entry.response if isinstance(entry.response, Mapping) else {}
    scim_type, detail = str(answer.get("scimType", "")), str(answer.get("detail", ""))
    for rule in _RULES:
        if rule.status == entry.status and rule.scim_type in ("", scim_type):
            found = re.match(rule.detail, detail, re.DOTALL)
            if found:
                return rule.advice.format(*found.groups())
    return _OTHERWISE
