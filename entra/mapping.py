"""Attribute mappings: which source attribute is written to which target attribute."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from entra import expressions, functions
from entra.expressions import Attribute, Call, Expression
from entra.scoping import ScopingFilter
from entra.targets import ENTERPRISE, IDMELON, Target

Source = Mapping[str, Any]
ALL_ACTIONS = frozenset({"add", "update", "delete"})
REFERENCES = frozenset({"manager", "members"})
BOOLEANS = frozenset({"active", "primary"})


class MappingError(ValueError):
    """An expression cannot be evaluated for this object."""


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """One row of the portal's mapping table."""

    target: Target
    source: Expression
    matching: int = 0
    create_only: bool = False
    default: str | None = None

    @property
    def is_reference(self) -> bool:
        """Whether the row maps manager or members, which are exported after the objects."""
        return isinstance(self.source, Attribute) and self.source.name in REFERENCES

    @property
    def is_assertive(self) -> bool:
        """Whether an update replaces the whole attribute."""
        return "AssertiveAppRoleAssignmentsComplex" in expressions.names_in(self.source, Call)

    def value(self, source: Source) -> Any:
        """Evaluate the row; None if there is no value. Raises MappingError if the evaluation fails."""
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
    """The mapping of users or of groups: rows, scoping filter and enabled actions."""

    kind: str
    rows: tuple[AttributeMapping, ...]
    scope: ScopingFilter = field(default_factory=ScopingFilter)
    actions: frozenset[str] = ALL_ACTIONS

    @property
    def matching(self) -> list[AttributeMapping]:
        """The matching attributes by precedence."""
        return sorted((row for row in self.rows if row.matching), key=lambda row: row.matching)

    @property
    def reference(self) -> AttributeMapping | None:
        """The row of manager or members, if it is mapped."""
        return next((row for row in self.rows if row.is_reference), None)

    @property
    def settings(self) -> list[Any]:
        """Every setting in a form that can be compared between runs."""
        rows = [[r.target.text, repr(r.source), r.matching, r.create_only, r.default] for r in self.rows]
        return [self.kind, rows, repr(self.scope), sorted(self.actions)]

    def values(self, source: Source, *, creating: bool = False) -> Iterator[tuple[AttributeMapping, Any]]:
        """Evaluate every row except references; defaults and create-only rows apply only when creating."""
        for row in self.rows:
            if row.is_reference or (row.create_only and not creating):
                continue
            value = row.value(source)
            yield row, row.default if value is None and creating else value


@dataclass(frozen=True, slots=True)
class MappingSet:
    """Both object mappings, and a description of each part of a schema that is not supported."""

    users: ObjectMapping
    groups: ObjectMapping
    unsupported: tuple[str, ...] = ()

    @property
    def source_names(self) -> frozenset[str]:
        """The names of all source attributes that the mappings and the scoping filters read."""
        rows = (*self.users.rows, *self.groups.rows)
        clauses = (c for mapping in (self.users, self.groups) for group in mapping.scope.groups for c in group)
        names = (name for row in rows for name in expressions.names_in(row.source, Attribute))
        return frozenset([*names, *(clause.attribute for clause in clauses)])

    def of(self, kind: str) -> ObjectMapping:
        """Return the mapping of "User" or "Group"."""
        return self.users if kind == "User" else self.groups


ACTIVE = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
WORK = 'addresses[type eq "work"]'

# (source expression, target attribute), as in a new non-gallery application.
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
ENTRA_GROUP_ROWS = (("[displayName]", "displayName"), ("[objectId]", "externalId"), ("[members]", "members"))
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
    """Build the mappings of a new non-gallery application."""
    users = (*ENTRA_USER_ROWS, ("[mailNickname]", "externalId"))
    return MappingSet(_object_mapping("User", users), _object_mapping("Group", ENTRA_GROUP_ROWS))


def idmelon_defaults() -> MappingSet:
    """Build the same with objectId as externalId, IDmelon's attributes and the group's description."""
    users = (*ENTRA_USER_ROWS, *IDMELON_USER_ROWS)
    groups = (*ENTRA_GROUP_ROWS, *IDMELON_GROUP_ROWS)
    return MappingSet(_object_mapping("User", users), _object_mapping("Group", groups))


def with_roles(mappings: MappingSet, style: str) -> MappingSet:
    """Add one of the three app role mappings to the user mapping."""
    rows = (*mappings.users.rows, make_row("User", *ROLE_STYLES[style]))
    return replace(mappings, users=replace(mappings.users, rows=rows))


def make_row(kind: str, expression: str, target: str) -> AttributeMapping:
    """Build a row from its source expression and its target attribute."""
    matching = 1 if (kind, target) in MATCHING else 0
    return AttributeMapping(Target.parse(target), expressions.parse(expression), matching)


def _object_mapping(kind: str, rows: Iterable[tuple[str, str]]) -> ObjectMapping:
    return ObjectMapping(kind, tuple(make_row(kind, expression, target) for expression, target in rows))
