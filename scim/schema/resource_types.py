"""Resource types, from the built-in schemas and the configuration's."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from config.roles import Role
from scim.schema.attributes import COMMON, LONGEST_NAME, Attribute, AttributeMap, DefinitionError, Lengths, Schema, fold
from scim.schema.definitions import read_schema
from scim.schema.roles import RoleMap

_LENGTHS = Lengths()
MEMBERSHIP, DISABLED = "Membership", "Disabled"  # documents that are not resources


@dataclass(frozen=True)
class Target:
    """An attribute of a resource type, as named by a path or a filter.

    `extension` is the URN of the attribute's extension, or None at the top level. `attribute` is None if the name is
    just an extension's URN. `sub` is the sub-attribute, if one is named.
    """

    extension: str | None
    attribute: Attribute | None
    sub: Attribute | None = None

    @property
    def leaf(self) -> Attribute:
        """The sub-attribute or else the attribute."""
        leaf = self.sub or self.attribute
        assert leaf is not None
        return leaf

    def __str__(self) -> str:
        """Return the name in the notation of RFC 7644 section 3.10."""
        name = self.attribute.name if self.attribute else ""
        if self.sub:
            name = f"{name}.{self.sub.name}"
        return ":".join(filter(None, (self.extension, name)))


@dataclass(frozen=True, eq=False)
class ResourceType:
    """A resource type: its endpoint, schema and extensions (RFC 7643 section 6)."""

    name: str
    endpoint: str
    schema: Schema
    extensions: tuple[Schema, ...] = ()
    required_extensions: frozenset[str] = frozenset()
    common: tuple[Attribute, ...] = COMMON
    _targets: dict[str, Target | None] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def schemas(self) -> dict[str, Schema]:
        """The schema and its extensions by URN, the schema first."""
        return {schema.id: schema for schema in (self.schema, *self.extensions)}

    @cached_property
    def by_name(self) -> AttributeMap:
        """The attributes at the top level."""
        return AttributeMap(self.top_level)

    @cached_property
    def top_level(self) -> tuple[Attribute, ...]:
        """The attributes at the top level, in the order in which they are returned."""
        return (*self.common, *self.schema.attributes)

    def attribute(self, extension: str | None, name: str) -> Attribute:
        """Return an attribute of an extension or of the top level. Raises KeyError."""
        attribute = (self.schemas[extension].by_name if extension else self.by_name).get(name)
        if attribute is None:
            raise KeyError(name)
        return attribute

    def urn(self, text: str) -> str | None:
        """Return the URN of this type that equals the text, ignoring case, or None."""
        return self._urns.get(fold(text)) if ":" in text and len(text) <= LONGEST_NAME else None

    def resolve(self, name: str) -> Target | None:
        """Return the target of a name in the notation of RFC 7644 section 3.10, or None.

        A name without a URN belongs to the core schema or to the common attributes. A dot is part of the attribute's
        name if there is such an attribute; otherwise it separates the sub-attribute.
        """
        if len(name) > LONGEST_NAME:
            return None
        if name not in self._targets:
            if len(self._targets) >= 4096:  # requests contain any number of names: the cache is bounded
                self._targets.clear()
            self._targets[name] = self._resolve(name)
        return self._targets[name]

    def attributes_by_schema(self) -> Iterable[tuple[str | None, tuple[Attribute, ...]]]:
        """Yield the attributes by schema: None and those of the top level, then each extension's URN and its own."""
        yield None, self.top_level
        for schema in self.extensions:
            yield schema.id, schema.attributes

    def targets(self) -> Iterable[Target]:
        """Yield every attribute and sub-attribute."""
        for extension, attributes in self.attributes_by_schema():
            for attribute in attributes:
                yield Target(extension, attribute)
                yield from (Target(extension, attribute, sub) for sub in attribute.sub_attributes)

    @cached_property
    def _urns(self) -> dict[str, str]:
        return {fold(urn): urn for urn in self.schemas}

    def _resolve(self, name: str) -> Target | None:
        if not name.isascii():  # attribute names are ASCII, and case folding changes the length of other text
            return None
        urn, rest = self._split(name)
        if urn is None:
            return None if ":" in name else _find(None, self.by_name, name)
        if urn == self.schema.id:
            return _find(None, self.by_name, rest) if rest else None
        return _find(urn, self.schemas[urn].by_name, rest) if rest else Target(urn, None)

    def _split(self, name: str) -> tuple[str | None, str]:
        """Split the longest registered URN off the name."""
        folded = fold(name)
        for urn in sorted(self._urns, key=len, reverse=True):
            if folded == urn:
                return self._urns[urn], ""
            if folded.startswith(urn + ":"):
                return self._urns[urn], name[len(urn) + 1 :]
        return None, name


def _find(extension: str | None, names: AttributeMap, name: str) -> Target | None:
    attribute = names.get(name)
    if attribute:
        return Target(extension, attribute)
    outer, dot, inner = name.rpartition(".")
    attribute = names.get(outer) if dot else None
    sub = attribute.sub_attributes_by_name.get(inner) if attribute else None
    return Target(extension, attribute, sub) if sub else None


class Registry:
    """All resource types, by endpoint and by name, and the roles that groups give."""

    def __init__(self, types: Iterable[ResourceType], roles: RoleMap) -> None:
        self.roles = roles
        self.types = {type.name: type for type in types}
        self._by_endpoint = {fold(type.endpoint.strip("/")): type for type in self.types.values()}

    def at(self, endpoint: str) -> ResourceType | None:
        """Return the type with this endpoint (without slashes, in any case), or None."""
        return self._by_endpoint.get(fold(endpoint))

    @cached_property
    def schemas(self) -> dict[str, Schema]:
        """Every schema by URN."""
        return dict(chain.from_iterable(type.schemas.items() for type in self.types.values()))


def load(
    tables: Iterable[Mapping[str, Any]] = (),
    *,
    unique_group_names: bool = True,
    lengths: Lengths = _LENGTHS,
    roles: Iterable[Role] = (),
) -> Registry:
    """Return the registry of the built-in schemas and of further tables in the same notation. Raises DefinitionError.

    Besides the keys of RFC 7643 section 7, a table has `endpoint` (it defines a resource type of the schema's name)
    or `extends` (the type that it extends) and optionally `required`.
    """
    declared = [_Declared(table) for table in _built_in()] + _configured(tables)
    _check_unique_names(declared)
    if unique_group_names:  # Entra matches groups by displayName: a second group of that name would never be found
        for item in declared:
            if item.schema.name == "Group":
                item.schema = item.schema.with_attribute("displayName", uniqueness="server")
    for item in declared:
        item.schema = item.schema.within(lengths)
    types = {item.schema.name: item for item in declared if item.endpoint}
    for item in declared:
        if item.extends and item.extends not in types:
            raise DefinitionError(f'{item.schema.id} extends "{item.extends}"; there are {", ".join(types)}')
    common = tuple(attribute.within(lengths) for attribute in COMMON)
    loaded = (
        ResourceType(
            name=name,
            endpoint=item.endpoint,
            schema=item.schema,
            extensions=tuple(other.schema for other in declared if other.extends == name),
            required_extensions=frozenset(
                other.schema.id for other in declared if other.extends == name and other.required
            ),
            common=common,
        )
        for name, item in types.items()
    )
    return Registry(loaded, RoleMap(roles))


def _configured(tables: Iterable[Mapping[str, Any]]) -> "list[_Declared]":
    declared = []
    for number, table in enumerate(tables, 1):
        try:
            declared.append(_Declared(table))
        except DefinitionError as error:
            raise DefinitionError(f"[[schemas]] number {number}: {error}") from None
    return declared


class _Declared:
    """A schema and how its table relates it to a resource type."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        own = dict(table)
        self.endpoint = str(own.pop("endpoint", ""))
        self.extends = str(own.pop("extends", ""))
        self.required = own.pop("required", False)
        self.schema = read_schema(own)
        if bool(self.endpoint) == bool(self.extends):
            raise DefinitionError(f'{self.schema.id} needs either "endpoint" or "extends"')
        if self.endpoint and not re.fullmatch(r"/[A-Za-z0-9]+", self.endpoint):
            raise DefinitionError(f'{self.schema.id}: "endpoint" must be like "/Devices"')
        if not isinstance(self.required, bool):
            raise DefinitionError(f'{self.schema.id}: "required" must be true or false')
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", self.schema.name):
            raise DefinitionError(f'{self.schema.id}: "name" must consist of letters, digits, "_" and "-"')
        taken = [item.name for item in COMMON if item.name in self.schema.by_name] if self.endpoint else []
        if taken:
            raise DefinitionError(f"{self.schema.id}: every resource already has the attribute {taken[0]}")
        unknown = set(own) - {"id", "name", "description", "attributes"}
        if unknown:
            raise DefinitionError(f'{self.schema.id}: there is no key "{min(unknown)}"')


_RESERVED = ("bulk", "me", "schemas", "resourcetypes", "serviceproviderconfig", "serviceconfiguration", "search")


def _check_unique_names(declared: list[_Declared]) -> None:
    for label, values in (
        ("id", [item.schema.id for item in declared]),
        ("name", [MEMBERSHIP, DISABLED, *(item.schema.name for item in declared)]),
        ("endpoint", [*_RESERVED, *(item.endpoint.strip("/") for item in declared if item.endpoint)]),
    ):
        seen: set[str] = set()
        for value in values:
            if fold(value) in seen:
                raise DefinitionError(f'the {label} "{value}" is taken already')
            seen.add(fold(value))


def _built_in() -> list[dict[str, Any]]:
    """Read the schemas that come with the service, in a fixed order."""
    folder = Path(__file__).with_name("core")
    names = ("User", "Group", "EnterpriseUser", "IDmelonUser")
    return [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in names]


GROUP = "Group"
MEMBERS = "members"
