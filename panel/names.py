"""Display names and values of attributes."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from config import Config
from panel.page import moment
from scim.filters import read_values
from scim.schema.attributes import Attribute
from scim.schema.resource_types import ResourceType, Target
from storage.base import Document

# Attributes whose display name is not their name split into words.
_WORDS = {
    "id": "SCIM ID",
    "externalId": "Entra object ID",
    "userName": "User name",
    "emails": "Email",
    "phoneNumbers": "Phone",
    "ims": "Instant messaging",
    "addresses": "Address",
    "photos": "Photo",
    "x509Certificates": "Certificates",
    "immutable_id": "Immutable ID",
    "name.formatted": "Full name",
    "name.familyName": "Family name",
    "name.givenName": "Given name",
    "name.middleName": "Middle name",
    "name.honorificPrefix": "Honorific prefix",
    "name.honorificSuffix": "Honorific suffix",
    "profileUrl": "Profile URL",
    "meta.created": "Created",
    "meta.lastModified": "Last modified",
    "meta.version": "Version",
    "meta.resourceType": "Resource type",
}
_SECTIONS = {"EnterpriseUser": "Work", "IDmelonUser": "IDmelon"}
# Shown elsewhere on the page, or useful only to programs.
_HIDDEN = ("schemas", "groups", "members")
_HIDDEN_SUBS = ("$ref", "location")
_MARKS = ("value", "type", "primary", "display", "displayName", "$ref")


@dataclass(frozen=True, slots=True)
class Row:
    """An attribute with its values; `ref` is the SCIM URL of the resource that the value refers to."""

    label: str
    help: str
    values: tuple[str, ...]
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A resource's attributes of one schema."""

    title: str
    rows: tuple[Row, ...]


class Names:
    """The display names under one configuration."""

    def __init__(self, config: Config) -> None:
        self._custom: dict[str, str] = {name: label for name, label in asdict(config.attribute_names).items() if label}

    def label(self, target: Target) -> str:
        """Return an attribute's display name; a name from the configuration takes precedence."""
        assert target.attribute
        name = target.attribute.name
        if target.extension and name in self._custom:
            return self._custom[name]
        if target.sub is None or target.sub.name in ("value", "displayName"):
            return _words(name)
        return _words(f"{name}.{target.sub.name}")

    def is_named(self, target: Target) -> bool:
        """Return whether the configuration names the attribute."""
        return bool(target.extension and target.attribute and target.attribute.name in self._custom)


def cell(target: Target, document: Document) -> str:
    """Return a resource's values of an attribute as the text of a cell."""
    return cell_reader(target)(document)


def cell_reader(target: Target) -> Callable[[Document], str]:
    """Return a function that reads the cells of a column."""
    read, leaf = read_values(target), target.leaf
    return lambda document: ", ".join(_text(leaf, value) for value in read(document))


def sections(type: ResourceType, document: Document, names: Names) -> list[Section]:
    """Return the resource's attributes, grouped by schema."""
    schemas = [
        (_section_title(type, extension), extension, attributes)
        for extension, attributes in type.attributes_by_schema()
    ]
    title, _, top_level = schemas[0]
    schemas[0] = (title, None, tuple(attribute for attribute in top_level if attribute not in type.common))
    found = (
        Section(title, _section_rows(extension, attributes, document, names))
        for title, extension, attributes in (*schemas, ("Record", None, type.common))
    )
    return [section for section in found if section.rows]


def _section_rows(
    extension: str | None, attributes: tuple[Attribute, ...], document: Document, names: Names
) -> tuple[Row, ...]:
    container: Mapping[str, Any] = document if extension is None else document.get(extension, {})
    visible = [each for each in attributes if each.name in container and each.name not in _HIDDEN]
    return tuple(row for each in visible for row in _rows(Target(extension, each), container[each.name], names))


def _section_title(type: ResourceType, extension: str | None) -> str:
    if extension is None:
        return "Account" if type.name == "User" else type.name
    name = type.schemas[extension].name
    return _SECTIONS.get(name, _words(name))


def _rows(target: Target, value: Any, names: Names) -> Iterator[Row]:
    attribute = target.attribute
    assert attribute
    if attribute.type == "complex" and not attribute.multi_valued and not attribute.refers_to:
        for sub in attribute.sub_attributes:
            if sub.name in value and sub.name not in _HIDDEN_SUBS:
                part = Target(target.extension, attribute, sub)
                yield Row(names.label(part), sub.description, (_text(sub, value[sub.name]),))
        return
    elements = value if isinstance(value, list) else [value]
    ref = value.get("$ref", "") if attribute.refers_to and not attribute.multi_valued else ""
    yield Row(names.label(target), attribute.description, tuple(_element(attribute, each) for each in elements), ref)


def _element(attribute: Attribute, element: Any) -> str:
    """Return an element's value, with its type and "primary" in brackets if it is complex."""
    if not isinstance(element, Mapping):
        return _text(attribute, element)
    shown = element.get("displayName") or element.get("display") or element.get("value")
    parts = [
        f"{_words(sub.name)}: {_text(sub, element[sub.name])}"
        for sub in attribute.sub_attributes
        if sub.name in element and sub.name not in _MARKS
    ]
    notes = [str(element["type"])] if element.get("type") else []
    notes += ["primary"] if element.get("primary") else []
    text = "; ".join([str(shown)] * bool(shown) + parts)
    return f"{text} ({', '.join(notes)})" if notes else text


def _text(attribute: Attribute, value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if attribute.type == "dateTime":
        return moment(value)
    return str(value)


def _words(name: str) -> str:
    """Return an attribute's name in words: "costCenter" becomes "Cost center"."""
    if name in _WORDS:
        return _WORDS[name]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Za-z])|[._-]+", " ", name).strip()
    return spaced[:1].upper() + spaced[1:].lower()
