"""The keys of a tenant file; an unknown one is an error that names its line."""

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

TOP = frozenset({"tenant", "users", "groups", "assignments"})
TENANT = frozenset({"displayName", "domain"})
USER = """
    accountEnabled appRoleAssignments city companyName country department displayName employeeHireDate employeeId
    employeeLeaveDateTime employeeOrgData employeeType facsimileTelephoneNumber givenName immutableId jobTitle mail
    mailNickname manager mobile objectId onPremisesDistinguishedName onPremisesSecurityIdentifier otherMails
    physicalDeliveryOfficeName postalCode preferredDataLocation preferredLanguage proxyAddresses softDeleted state
    streetAddress surname telephoneNumber usageLocation userPrincipalName userType
"""
GROUP = "description displayName mail mailEnabled mailNickname members objectId securityEnabled softDeleted"
EXTENSION = re.compile(r"extensionAttribute\d+|extension_\w+")  # the two kinds that Entra has

Path = tuple[str | int, ...]
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}\[\],]')


class UnknownKeyError(ValueError):
    """The file has an unknown key; the message names its line."""


def check(raw: dict[str, Any], text: str, mapped: frozenset[str]) -> None:
    """Check a valid tenant's keys; `mapped` are attributes that mappings read. Raises UnknownKeyError."""
    for place, key, known in _unknown(raw, mapped):
        close = difflib.get_close_matches(key, known, 1)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        raise UnknownKeyError(f'line {_line(text, (*place, key))} has an unknown key "{key}".{hint}')


def _unknown(raw: dict[str, Any], mapped: frozenset[str]) -> Iterator[tuple[Path, str, frozenset[str]]]:
    """Yield the place and name of each unknown key, and the keys that are known there."""
    objects: list[tuple[Path, dict[str, Any], frozenset[str]]] = [((), raw, TOP)]
    objects.append((("tenant",), raw.get("tenant") or {}, TENANT))
    for kind, names in (("users", USER), ("groups", GROUP)):
        known = mapped.union(names.split())
        objects += [((kind, index), source, known) for index, source in enumerate(raw.get(kind) or [])]
    for place, found, known in objects:
        for key in found:
            if key not in known and not (len(place) == 2 and EXTENSION.fullmatch(key)):
                yield place, key, known


def _line(text: str, wanted: Path) -> int:
    """Return the line of the key at a path of keys and list indexes."""
    here: list[str | int] = []
    for token in _TOKEN.finditer(text):
        match token[0][0]:
            case "{" | "[":
                here.append("" if token[0] == "{" else 0)
            case "}" | "]":
                here.pop()
            case "," if isinstance(here[-1], int):
                here[-1] += 1
            case '"' if token[2]:
                here[-1] = json.loads(token[1])
                if tuple(here) == wanted:
                    return text.count("\n", 0, token.start()) + 1
    raise AssertionError("the key was read from this text")
