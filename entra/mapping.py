"""Attribute mappings: what of a source object goes where in the endpoint's resource."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from entra import expressions, functions
from entra.expressions import Attribute, Expression
from entra.scoping import Scope
from entra.targets import ENTERPRISE, IDMELON, Target

Source = Mapping[str, Any]
ALL_ACTIONS = frozenset({"add", "update", "delete"})
REFERENCES = frozenset({"manager", "members"})
BOOLEANS = frozenset({"active", "primary"})


class MappingError(ValueError):
    """An expression cannot be evaluated for this object."""


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """One row of the mapping table in the portal."""

    target: Target
    source: Expression
    matching: int = 0
    create_only: bool = False
    default: str | None = None

    @property
    def is_reference(self) -> bool:
        """Say whether this row is the reference pass's (manager, members)."""
        return isinstance(self.source, Attribute) and self.source.name in REFERENCES

    @property
    def is_assertive(self) -> bool:
        """Say whether a change of this row replaces the whole attribute."""
        return "AssertiveAppRoleAssignmentsComplex" in expressions.functions_in(self.source)

    def value(self, source: Source) -> Any:
        """Evaluate the row; None when there is nothing to write."""
        try:
            value = self.source.evaluate(source)
        except (ValueError, TypeError, LookupError, re.error) as error:
            raise MappingError(f"{self.target.text}: {error}") from None
        if not functions.is_present(value):
            return None
        if (self.target.sub or self.target.name) in BOOLEANS and isinstance(value, str):
            return value.casefold() == "true"
        return value


@dataclass(frozen=True, slots=True)
class ObjectMapping:
    """The mapping of users, or of groups: rows, scoping filter, and which verbs are switched on."""

    kind: str
    rows: tuple[AttributeMapping, ...]
    scope: Scope = field(default_factory=Scope)
    actions: frozenset[str] = ALL_ACTIONS

    @property
    def matching(self) -> list[AttributeMapping]:
        """The matching attributes, in the order in which they are tried."""
        return sorted((row for row in self.rows if row.matching), key=lambda row: row.matching)

    @property
    def reference(self) -> AttributeMapping | None:
        """The row of manager or members, if it is mapped."""
        return next((row for row in self.rows if row.is_reference), None)

    @property
    def settings(self) -> list[Any]:
        """Everything that an administrator set, in a form that compares from run to run."""
        rows = [[r.target.text, repr(r.source), r.matching, r.create_only, r.default] for r in self.rows]
        return [self.kind, rows, repr(self.scope), sorted(self.actions)]

    def values(self, source: Source, *, creating: bool = False) -> Iterator[tuple[AttributeMapping, Any]]:
        """Evaluate every row but the references; defaults and create-only rows count at creation alone."""
        for row in self.rows:
            if row.is_reference or (row.create_only and not creating):
                continue
            value = row.value(source)
            yield row, row.default if value is None and creating else value


@dataclass(frozen=True, slots=True)
class MappingSet:
    """Both object mappings, and what was left out of them because it is not understood here."""

    users: ObjectMapping
    groups: ObjectMapping
    left_out: tuple[str, ...] = ()

    def of(self, kind: str) -> ObjectMapping:
        """Give the mapping of one kind, "User" or "Group"."""
        return self.users if kind == "User" else self.groups


ACTIVE = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
WORK = 'addresses[type eq "work"]'

# Source expression -> target attribute, as a new non-gallery application has them.
ENTRA_USER_ROWS = (
    ("[userPrincipalName]", "userName"),
    (ACTIVE, "active"),
    ("[displayName]", "displayName"),
    ("[jobTitle]", "title"),
    ("[mail]", 'emails[type eq "work"].value'),
    ("[preferredLanguage]", "preferredLanguage"),
    ("[givenName]", "name.givenName"),
    ("[surname]", "name.familyName"),
    ('Join(" ", [givenName], [surname])', "name.formatted"),
    ("[physicalDeliveryOfficeName]", f"{WORK}.formatted"),
    ("[streetAddress]", f"{WORK}.streetAddress"),
    ("[city]", f"{WORK}.locality"),
    ("[state]", f"{WORK}.region"),
    ("[postalCode]", f"{WORK}.postalCode"),
    ("[country]", f"{WORK}.country"),
    ("[telephoneNumber]", 'phoneNumbers[type eq "work"].value'),
    ("[mobile]", 'phoneNumbers[type eq "mobile"].value'),
    ("[facsimileTelephoneNumber]", 'phoneNumbers[type eq "fax"].value'),
    ("[employeeId]", f"{ENTERPRISE}:employeeNumber"),
    ("[department]", f"{ENTERPRISE}:department"),
    ("[manager]", f"{ENTERPRISE}:manager"),
)
ENTRA_GROUP_ROWS = (
    ("[displayName]", "displayName"),
    ("[objectId]", "externalId"),
    ("[members]", "members"),
)
IDMELON_USER_ROWS = (
    ("[objectId]", "externalId"),
    ("[immutableId]", f"{IDMELON}:immutable_id"),
    *((f"[extensionAttribute{n}]", f"{IDMELON}:extraAttribute{n}") for n in range(1, 6)),
)
IDMELON_GROUP_ROWS = (("[description]", "description"),)
MATCHING = frozenset({("User", "userName"), ("Group", "displayName")})

ROLE_STYLES = {
    "single": ("SingleAppRoleAssignment([appRoleAssignments])", 'roles[primary eq "True"].value'),
    "complex": ("AppRoleAssignmentsComplex([appRoleAssignments])", "roles"),
    "assertive": ("AssertiveAppRoleAssignmentsComplex([appRoleAssignments])", "roles"),
}


def entra_defaults() -> MappingSet:
    """Make the mappings of a new non-gallery application."""
    users = (*ENTRA_USER_ROWS, ("[mailNickname]", "externalId"))
    return MappingSet(_mapping("User", users), _mapping("Group", ENTRA_GROUP_ROWS))


def idmelon_defaults() -> MappingSet:
    """Make the same with objectId as externalId, IDmelon's attributes and the group's description."""
    users = (*ENTRA_USER_ROWS, *IDMELON_USER_ROWS)
    groups = (*ENTRA_GROUP_ROWS, *IDMELON_GROUP_ROWS)
    return MappingSet(_mapping("User", users), _mapping("Group", groups))


def with_roles(mappings: MappingSet, style: str) -> MappingSet:
    """Add one of the three app role mappings to the users' rows."""
    expression, target = ROLE_STYLES[style]
    users = replace(mappings.users, rows=(*mappings.users.rows, row("User", expression, target)))
    return replace(mappings, users=users)


def row(kind: str, expression: str, target: str) -> AttributeMapping:
    """Make one row from its two texts."""
    matching = 1 if (kind, target) in MATCHING else 0
    return AttributeMapping(Target.parse(target), expressions.parse(expression), matching)


def _mapping(kind: str, rows: Iterable[tuple[str, str]]) -> ObjectMapping:
    return ObjectMapping(kind, tuple(row(kind, expression, target) for expression, target in rows))
