"""Which resource types there are: the built-in schemas and the config's, read by one loader."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from itertools import chain
from typing import Any

from scim.schema.attributes import COMMON, LONGEST_NAME, Attribute, AttributeMap, DefinitionError, Lengths, Schema, fold
from scim.schema.definitions import read_schema

_LENGTHS = Lengths()
MEMBERSHIP, DISABLED = "Membership", "Disabled"  # kinds of documents that are no resources


@dataclass(frozen=True)
class Target:
    """What an attribute's name means in a resource type: where the attribute stands, and what it is.

    `extension` is the URN under which the attribute stands, None at the top level. `attribute` is None where the
    name was an extension's URN alone. `sub` is the sub-attribute, if one was named.
    """

    extension: str | None
    attribute: Attribute | None
    sub: Attribute | None = None

    @property
    def leaf(self) -> Attribute:
        """The attribute that a value at this target belongs to."""
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
    """A type of resource: its endpoint, its schema and the extensions of it (RFC 7643 section 6)."""

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
        """The attributes that stand at the top level."""
        return AttributeMap(self.top_level)

    @cached_property
    def top_level(self) -> tuple[Attribute, ...]:
        """The attributes that stand at the top level, in the order in which they are answered."""
        return (*self.common, *self.schema.attributes)

    def attribute(self, extension: str | None, name: str) -> Attribute:
        """Return the attribute of that name in an extension, or at the top level."""
        attribute = (self.schemas[extension].by_name if extension else self.by_name).get(name)
        if attribute is None:
            raise KeyError(name)
        return attribute

    def urn(self, text: str) -> str | None:
        """Return which of the URNs of this type the text is, in whatever case, or None."""
        return self._urns.get(fold(text)) if len(text) <= LONGEST_NAME else None

    def resolve(self, name: str) -> Target | None:
        """Find what a name in the notation of RFC 7644 section 3.10 means here, or None.

        Without a URN it is an attribute of the core schema or a common one; a dot belongs to the attribute's own
        name if there is one of that name, and else separates the sub-attribute.
        """
        if len(name) > LONGEST_NAME:
            return None
        if name not in self._targets:
            if len(self._targets) >= 4096:  # names come from outside: what is remembered stays bounded
                self._targets.clear()
            self._targets[name] = self._resolve(name)
        return self._targets[name]

    def attributes_by_schema(self) -> Iterable[tuple[str | None, tuple[Attribute, ...]]]:
        """Yield where attributes stand, the top level first: the extension's URN or None, and the attributes."""
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
        if not name.isascii():  # no attribute's name has such characters, and folding them changes lengths
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
    """All resource types, by endpoint and by name."""

    def __init__(self, types: Iterable[ResourceType]) -> None:
        self.types = {type.name: type for type in types}
        self._by_endpoint = {type.endpoint.strip("/"): type for type in self.types.values()}

    def at(self, endpoint: str) -> ResourceType | None:
        """Return the type whose endpoint this is, without slashes."""
        return self._by_endpoint.get(endpoint)

    @cached_property
    def schemas(self) -> dict[str, Schema]:
        """Every schema by URN."""
        return dict(chain.from_iterable(type.schemas.items() for type in self.types.values()))


def load(
    tables: Iterable[Mapping[str, Any]] = (), *, unique_group_names: bool = True, lengths: Lengths = _LENGTHS
) -> Registry:
    """Make the registry of the built-in schemas and of further tables in the same notation. Raises DefinitionError.

    Beside the keys of RFC 7643 section 7 a table has `endpoint` (it makes a resource type of the schema's name) or
    `extends` (the name of the type that it extends), and with the latter `required`.
    """
    declared = [_Declared(table) for table in _built_in()] + _configured(tables)
    _check_unique_names(declared)
    if unique_group_names:  # Entra matches groups by displayName, so a second one of that name would never be found
        for one in declared:
            if one.schema.name == "Group":
                one.schema = one.schema.with_attribute("displayName", uniqueness="server")
    for one in declared:
        one.schema = one.schema.within(lengths)
    types = {one.schema.name: one for one in declared if one.endpoint}
    for one in declared:
        if one.extends and one.extends not in types:
            raise DefinitionError(f'{one.schema.id} extends "{one.extends}"; there are {", ".join(types)}')
    common = tuple(attribute.within(lengths) for attribute in COMMON)
    return Registry(
        ResourceType(
            name=name,
            endpoint=one.endpoint,
            schema=one.schema,
            extensions=tuple(other.schema for other in declared if other.extends == name),
            required_extensions=frozenset(
                other.schema.id for other in declared if other.extends == name and other.required
            ),
            common=common,
        )
        for name, one in types.items()
    )


def _configured(tables: Iterable[Mapping[str, Any]]) -> "list[_Declared]":
    declared = []
    for number, table in enumerate(tables, 1):
        try:
            declared.append(_Declared(table))
        except DefinitionError as error:
            raise DefinitionError(f"[[schemas]] number {number}: {error}") from None
    return declared


class _Declared:
    """A schema with what its table says of its place."""

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
            raise DefinitionError(f'{self.schema.id}: "name" must have letters, digits, "_" and "-" alone')
        taken = [one.name for one in COMMON if one.name in self.schema.by_name] if self.endpoint else []
        if taken:
            raise DefinitionError(f"{self.schema.id}: every resource has the attribute {taken[0]} already")
        unknown = set(own) - {"id", "name", "description", "attributes"}
        if unknown:
            raise DefinitionError(f'{self.schema.id}: there is no key "{min(unknown)}"')


_RESERVED = (
    "bulk",
    "me",
    "schemas",
    "resourcetypes",
    "serviceproviderconfig",
    "serviceconfiguration",
    "search",
)


def _check_unique_names(declared: list[_Declared]) -> None:
    for label, values in (
        ("id", [one.schema.id for one in declared]),
        ("name", [MEMBERSHIP, DISABLED, *(one.schema.name for one in declared)]),
        ("endpoint", [*_RESERVED, *(one.endpoint.strip("/") for one in declared if one.endpoint)]),
    ):
        seen: set[str] = set()
        for value in values:
            if fold(value) in seen:
                raise DefinitionError(f'the {label} "{value}" is taken already')
            seen.add(fold(value))


def _built_in() -> list[dict[str, Any]]:
    """Read the schemas that come with the service, in a fixed order."""
    folder = resources.files("scim.schema") / "core"
    names = ("User", "Group", "EnterpriseUser", "IDmelonUser")
    return [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in names]


GROUP = "Group"


MEMBERS = "members"
