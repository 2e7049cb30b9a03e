"""Attributes and schemas (RFC 7643 section 2): the one definition from which everything else is derived."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from unicodedata import combining, normalize

from scim.errors import shorten

TYPES = ("string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex")
MUTABILITIES = ("readOnly", "readWrite", "immutable", "writeOnly")
RETURNED = ("always", "never", "default", "request")
UNIQUENESS = ("none", "server", "global")

# xsd:dateTime, whose zone is optional (RFC 7643 section 2.3.5); the default is UTC.
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE)
NOT_A_DATE_TIME = "is not a valid dateTime (expected, for example, 2026-01-31T12:00:00Z)"
NAME = re.compile(r"\$ref|[A-Za-z][A-Za-z0-9_.$-]{0,99}", re.ASCII)
LONGEST_URN = 250
LONGEST_NAME = 500  # a URN, an attribute's name and a sub-attribute's together are shorter

Key = str | int | float | bool | None
"""A comparison key: equal for equal values, in the order of the values. None if the value has another type."""


def fold(text: str) -> str:
    """Return the text for comparison without regard to case, its accents composed (RFC 8265 section 3.3).

    Lower case and not `casefold`, for which "Strauß" and "Strauss" are one person. The two forms of the small sigma are
    one letter, since the lower case of the capital depends on what follows it.
    """
    if text.isascii():
        return text.lower()
    if not _is_stream_safe(text):
        return text.lower().translate(_SIGMA)
    return normalize("NFC", normalize("NFC", text).lower().translate(_SIGMA))


_SIGMA = {0x03C2: 0x03C3}


def _is_stream_safe(text: str) -> bool:
    """Return whether runs of combining characters are as short as in real text (Unicode Annex #15, section 13).

    Normalizing a run takes quadratic time.
    """
    run = 0
    for character in text if len(text) > _LONGEST_RUN else "":
        run = run + 1 if combining(character) else 0
        if run > _LONGEST_RUN:
            return False
    return True


_LONGEST_RUN = 30


class DefinitionError(ValueError):
    """The definition of an attribute or a schema is invalid; the message names the key."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The maximum length of values: text, and binary data, which `data:` references contain as well."""

    max_text_length: int = 10_000
    max_binary_length: int = 200_000


@dataclass(frozen=True, eq=False)
class Attribute:
    """An attribute and its characteristics, named as in RFC 7643 section 7."""

    name: str
    type: str = "string"
    multi_valued: bool = False
    description: str = ""
    required: bool = False
    case_exact: bool = False
    mutability: str = "readWrite"
    returned: str = "default"
    uniqueness: str = "none"
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    sub_attributes: tuple["Attribute", ...] = field(default=(), repr=False)
    lengths: Lengths = field(default=Lengths(), repr=False)

    def within(self, lengths: Lengths) -> "Attribute":
        """Return the attribute with other limits on the length of its values."""
        return replace(self, lengths=lengths, sub_attributes=tuple(sub.within(lengths) for sub in self.sub_attributes))

    @cached_property
    def sub_attributes_by_name(self) -> "AttributeMap":
        """The sub-attributes by name."""
        return AttributeMap(self.sub_attributes)

    @cached_property
    def required_subs(self) -> tuple["Attribute", ...]:
        """The sub-attributes that every element must have."""
        return tuple(sub for sub in self.sub_attributes if sub.required and sub.mutability != "readOnly")

    @cached_property
    def refers_to(self) -> tuple[str, ...]:
        """The resource types that a `value` beside a `$ref` points to, as in `manager`."""
        ref = self.sub_attributes_by_name.get("$ref")
        return ref.reference_types if ref and "value" in self.sub_attributes_by_name else ()

    @cached_property
    def is_plain(self) -> bool:
        """Whether it has one value, neither complex nor boolean: a dialect need not rewrite its text."""
        return not self.multi_valued and self.type not in ("boolean", "complex")

    @property
    def compares_exactly(self) -> bool:
        """Whether case counts, as it always does in references and binaries (RFC 7643 sections 2.3.6 and 2.3.7)."""
        return self.case_exact or self.type in ("reference", "binary")

    @cached_property
    def key(self) -> Callable[[Any], Key]:
        """The function from a value to its comparison key, for filters, sorting, uniqueness and indexes.

        It accepts any value: a value from before the configuration changed the attribute's type has no key.
        """
        if self.type in _OTHER_KEYS:
            return _OTHER_KEYS[self.type]
        return _exact_key if self.compares_exactly else _folded_key

    def elements(self, value: Any) -> list[Any]:
        """Return the elements of a stored value; a single value is one element.

        Values from before the configuration made the attribute complex, or simple, are left out.
        """
        listed = value if isinstance(value, list) else [] if value is None else [value]
        is_complex = self.type == "complex"
        return [element for element in listed if isinstance(element, dict) == is_complex]

    def to_json(self) -> dict[str, Any]:
        """Return the definition in the notation of RFC 7643 section 7."""
        body: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "multiValued": self.multi_valued,
            "description": self.description,
            "required": self.required,
            "mutability": self.mutability,
            "returned": self.returned,
        }
        if self.type == "complex":
            body["subAttributes"] = [sub.to_json() for sub in self.sub_attributes]
        else:
            body |= {
                "caseExact": self.compares_exactly if self.type != "boolean" else False,
                "uniqueness": self.uniqueness,
            }
        if self.canonical_values:
            body["canonicalValues"] = list(self.canonical_values)
        if self.reference_types:
            body["referenceTypes"] = list(self.reference_types)
        return body


class AttributeMap:
    """Attributes by name, without regard to case (RFC 7643 section 2.1)."""

    def __init__(self, attributes: Iterable[Attribute]) -> None:
        self._by_name = {fold(attribute.name): attribute for attribute in attributes}
        self._by_spelling = {attribute.name: attribute for attribute in self._by_name.values()}

    def get(self, name: str) -> Attribute | None:
        """Return the attribute of that name, or None."""
        found = self._by_spelling.get(name)
        return found or (self._by_name.get(fold(name)) if len(name) <= LONGEST_NAME else None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_spelling)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None


@dataclass(frozen=True, eq=False)
class Schema:
    """A schema: a URN and the attributes that it defines."""

    id: str
    name: str
    description: str
    attributes: tuple[Attribute, ...] = field(repr=False)

    @cached_property
    def by_name(self) -> AttributeMap:
        """The attributes by name."""
        return AttributeMap(self.attributes)

    def within(self, lengths: Lengths) -> "Schema":
        """Return the schema with other limits on the length of values."""
        return replace(self, attributes=tuple(attribute.within(lengths) for attribute in self.attributes))

    def to_json(self) -> dict[str, Any]:
        """Return the definition in the notation of RFC 7643 section 7."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": [attribute.to_json() for attribute in self.attributes],
        }

    def with_attribute(self, name: str, **characteristics: Any) -> "Schema":
        """Return the schema with other characteristics of one attribute."""
        return replace(
            self,
            attributes=tuple(
                replace(attribute, **characteristics) if attribute.name == name else attribute
                for attribute in self.attributes
            ),
        )


# The attributes of every resource (RFC 7643 section 3.1). `schemas` is readOnly here because it is derived from the
# resource's content.
COMMON = (
    Attribute("schemas", "reference", multi_valued=True, mutability="readOnly", returned="always"),
    Attribute("id", case_exact=True, mutability="readOnly", returned="always", uniqueness="server"),
    Attribute("externalId", case_exact=True),
    Attribute(
        "meta",
        "complex",
        mutability="readOnly",
        sub_attributes=(
            Attribute("resourceType", case_exact=True, mutability="readOnly"),
            Attribute("created", "dateTime", mutability="readOnly"),
            Attribute("lastModified", "dateTime", mutability="readOnly"),
            Attribute("location", "reference", mutability="readOnly"),
            Attribute("version", case_exact=True, mutability="readOnly"),
        ),
    ),
)


def _exact_key(value: Any) -> Key:
    return value if isinstance(value, str) else None


def _folded_key(value: Any) -> Key:
    return fold(value) if isinstance(value, str) else None


def _number_key(value: Any) -> Key:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean_key(value: Any) -> Key:
    return value if isinstance(value, bool) else None


def _instant_key(value: Any) -> Key:
    try:
        return instant(value)
    except (TypeError, ValueError):
        return None


_OTHER_KEYS: dict[str, Callable[[Any], Key]] = {
    "integer": _number_key,
    "decimal": _number_key,
    "boolean": _boolean_key,
    "dateTime": _instant_key,
}


def instant(text: str) -> float:
    """Return a dateTime as seconds since 1970. Raises ValueError if the text is not a dateTime."""
    if not _DATE_TIME.fullmatch(text):
        raise ValueError(f"{shorten(repr(text))} {NOT_A_DATE_TIME}")
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH).total_seconds()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_base64(text: str) -> bool:
    """Return whether the text is base64, in either alphabet (RFC 7643 section 2.3.6)."""
    try:
        base64.b64decode(text.translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_URL_SAFE = str.maketrans("-_", "+/")
