"""Names and values of attributes as people read them."""

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

# Where splitting the name into words does not give what people say.
_WORDS = {
    "id": "Id here",
    "externalId": "Id in Entra",
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
    "name.honorificPrefix": "Title before the name",
    "name.honorificSuffix": "Suffix after the name",
    "profileUrl": "Profile URL",
    "meta.created": "Created",
    "meta.lastModified": "Last changed",
    "meta.version": "Version",
    "meta.resourceType": "Resource type",
}
_SECTIONS = {"EnterpriseUser": "Work", "IDmelonUser": "IDmelon"}
# Shown elsewhere on the page, or of use to programs alone.
_HIDDEN = ("schemas", "groups", "members")
_HIDDEN_SUBS = ("$ref", "location")
_MARKS = ("value", "type", "primary", "display", "displayName", "$ref")


@dataclass(frozen=True, slots=True)
class Row:
    """An attribute with its values, for a page; `ref` is SCIM's address of the resource that the value stands for."""

    label: str
    help: str
    values: tuple[str, ...]
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The attributes of one schema that a resource has."""

    title: str
    rows: tuple[Row, ...]


class Names:
    """The readable names of one configuration."""

    def __init__(self, config: Config) -> None:
        self._given: dict[str, str] = {name: label for name, label in asdict(config.attribute_names).items() if label}

    def label(self, target: Target) -> str:
        """Return what people call an attribute; the administrator's own name for it goes before any other."""
        assert target.attribute
        name = target.attribute.name
        if target.extension and name in self._given:
            return self._given[name]
        if target.sub is None or target.sub.name in ("value", "displayName"):
            return _words(name)
        return _words(f"{name}.{target.sub.name}")

    def is_named(self, target: Target) -> bool:
        """Tell whether the administrator has named the attribute."""
        return bool(target.extension and target.attribute and target.attribute.name in self._given)


def cell(target: Target, document: Document) -> str:
    """Return what a resource has of an attribute, as the text of a cell."""
    return cell_reader(target)(document)


def cell_reader(target: Target) -> Callable[[Document], str]:
    """Return how to read the cells of a column."""
    read, leaf = read_values(target), target.leaf
    return lambda document: ", ".join(_text(leaf, value) for value in read(document))


def sections(type: ResourceType, document: Document, names: Names) -> list[Section]:
    """Return every attribute that the resource has, by schema."""
    places = [(_section_title(type, extension), extension, own) for extension, own in type.attributes_by_schema()]
    title, _, top_level = places[0]
    places[0] = (title, None, tuple(one for one in top_level if one not in type.common))
    found = (
        Section(title, _section_rows(extension, attributes, document, names))
        for title, extension, attributes in (*places, ("Record", None, type.common))
    )
    return [section for section in found if section.rows]


def _section_rows(
    extension: str | None, attributes: tuple[Attribute, ...], document: Document, names: Names
) -> tuple[Row, ...]:
    container: Mapping[str, Any] = document if extension is None else document.get(extension, {})
    shown = [one for one in attributes if one.name in container and one.name not in _HIDDEN]
    return tuple(row for one in shown for row in _rows(Target(extension, one), container[one.name], names))


def texts(attribute: Attribute, value: Any) -> tuple[str, ...]:
    """Return the values of an attribute as people read them."""
    listed = value if isinstance(value, list) else [value]
    return tuple(_element(attribute, one) if isinstance(one, Mapping) else _text(attribute, one) for one in listed)


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
    ref = value.get("$ref", "") if attribute.refers_to and not attribute.multi_valued else ""
    yield Row(names.label(target), attribute.description, texts(attribute, value), ref)


def _element(attribute: Attribute, element: Mapping[str, Any]) -> str:
    """Return an element of a complex attribute: what it is, and in brackets of what kind."""
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
    """Return an attribute's name in words: "costCenter" is "Cost center"."""
    if name in _WORDS:
        return _WORDS[name]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Za-z])|[._-]+", " ", name).strip()
    return spaced[:1].upper() + spaced[1:].lower()
