"""Rewrites attribute names, filters and booleans (RFC 7644 section 3.4.2.2)."""

from functools import partial
from typing import Any

from scim.filters import And, Compare, Filter, Literal, Present, Unquoted, ValuePath, map_terms
from scim.schema.attributes import Attribute, fold
from scim.schema.resource_types import ResourceType


def attribute_name(type: ResourceType, name: str) -> str:
    """Return an attribute's name in RFC 7644's notation.

    Jobs from before 2018 put a dot after an extension's URN: `...enterprise:2.0:User.manager` [compat]. The URN may
    be missing: `manager` [use-scim], or that of SCIM 1.1: seen.
    """
    if type.resolve(name) or not name.isascii():
        return name
    for old, urn in _SCIM_1_1:
        if fold(name[: len(old) + 1]) in (old, f"{old}:"):
            return (urn or type.schema.id) + name[len(old) :]
    for urn in type.schemas:
        if fold(name).startswith(fold(urn) + "."):
            return f"{urn}:{name[len(urn) + 1 :]}"
    for schema in type.extensions:
        if ":" not in name and type.resolve(f"{schema.id}:{name}"):
            return f"{schema.id}:{name}"
    return name


_SCIM_1_1 = (
    ("urn:scim:schemas:core:1.0", ""),
    ("urn:scim:schemas:extension:enterprise:1.0", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
)


def filter_tree(type: ResourceType, tree: Filter) -> Filter:
    """Return the filter with names, literals and bracketed comparisons as RFC 7644 has them."""
    return map_terms(tree, partial(_term, type))


def _term(type: ResourceType, term: Compare | Present | ValuePath) -> Filter:
    name = attribute_name(type, term.path)
    target = type.resolve(name)
    attribute = target.attribute if target else None
    match term:
        case Compare(_, op, value, text):
            return Compare(name, op, literal(target.leaf if target and attribute else None, value, text))
        case ValuePath(_, inner, rest):
            if rest:  # emails[type eq "work"].value eq "x" [use-scim]; without .value in an older version: seen
                inner = And((inner, rest))
            return ValuePath(name, inner_tree(attribute, inner) if attribute else inner)
    return Present(name)


def inner_tree(attribute: Attribute, tree: Filter) -> Filter:
    """Return a filter inside brackets with its literals typed."""

    def change(term: Compare | Present | ValuePath) -> Filter:
        if not isinstance(term, Compare):
            return term
        sub = attribute if attribute.type != "complex" else attribute.sub_attributes_by_name.get(term.path)
        return Compare(term.path, term.op, literal(sub, term.value, term.text))

    return map_terms(tree, change)


def literal(attribute: Attribute | None, value: Literal, text: str) -> Literal:
    """Return a typed literal: unquoted text is a string (`externalId eq jyoung` [use-scim]), `"True"` a boolean."""
    if attribute and attribute.type == "boolean":
        return boolean(text or value)  # type: ignore[no-any-return]
    if isinstance(value, Unquoted):
        return str(value)
    if text and value is not None and (attribute is None or attribute.type not in ("integer", "decimal")):
        return text
    return value


def boolean(value: Any) -> Any:
    """Return a boolean for "True" and "False", which the default mapping of `active` sends [compat]."""
    return {"true": True, "false": False}.get(fold(value), value) if isinstance(value, str) else value
