"""Rewrites attribute names and filters (RFC 7644 section 3.4.2.2)."""

from typing import Any

from scim.filters import And, Compare, Filter, Literal, Not, Or, Present, Unquoted, ValuePath
from scim.schema.attributes import Attribute, fold
from scim.schema.resource_types import ResourceType


def attribute_name(type: ResourceType, name: str) -> str:
    """Return an attribute's name in RFC 7644's notation.

    Jobs from before 2018 put a dot after an extension's URN: `...enterprise:2.0:User.manager` [compat]. The URN may
    be missing: `manager` [use-scim].
    """
    if type.resolve(name) or not name.isascii():
        return name
    for urn in type.schemas:
        if fold(name).startswith(fold(urn) + "."):
            return f"{urn}:{name[len(urn) + 1 :]}"
    for schema in type.extensions:
        if ":" not in name and type.resolve(f"{schema.id}:{name}"):
            return f"{schema.id}:{name}"
    return name


def filter_tree(type: ResourceType, tree: Filter) -> Filter:
    """Return the filter with names, literals and bracketed comparisons as RFC 7644 has them."""
    match tree:
        case Compare(path, op, value, text):
            name = attribute_name(type, path)
            target = type.resolve(name)
            leaf = target.leaf if target and target.attribute else None
            return Compare(name, op, literal(leaf, value, text))
        case And(terms):
            return And(tuple(filter_tree(type, term) for term in terms))
        case Or(terms):
            return Or(tuple(filter_tree(type, term) for term in terms))
        case Not(term):
            return Not(filter_tree(type, term))
        case ValuePath(path, inner, rest):
            name = attribute_name(type, path)
            target = type.resolve(name)
            attribute = target.attribute if target else None
            if rest:  # emails[type eq "work"].value eq "x" [use-scim]; without .value in an older version: seen
                inner = And((inner, rest))
            return ValuePath(name, inner_tree(attribute, inner) if attribute else inner)
        case Present(path):
            return Present(attribute_name(type, path))
    return tree


def inner_tree(attribute: Attribute, tree: Filter) -> Filter:
    """Return a filter inside brackets with its literals typed."""
    match tree:
        case And(terms):
            return And(tuple(inner_tree(attribute, term) for term in terms))
        case Or(terms):
            return Or(tuple(inner_tree(attribute, term) for term in terms))
        case Not(term):
            return Not(inner_tree(attribute, term))
        case Compare(path, op, value, text):
            sub = attribute if attribute.type != "complex" else attribute.sub_attributes_by_name.get(path)
            return Compare(path, op, literal(sub, value, text))
    return tree


def literal(attribute: Attribute | None, value: Literal, text: str) -> Literal:
    """Return a typed literal: unquoted text is a string (`externalId eq jyoung` [use-scim]), `"True"` a boolean."""
    if attribute and attribute.type == "boolean":
        return boolean(text or value)  # type: ignore[no-any-return]
    textual = attribute is None or attribute.type not in ("integer", "decimal")
    if isinstance(value, Unquoted) or (text and textual and value is not None):
        return text
    return value


def boolean(value: Any) -> Any:
    """Return a boolean for "True" and "False", which the default mapping of `active` sends [compat]."""
    return {"true": True, "false": False}.get(fold(value), value) if isinstance(value, str) else value
