"""The protocol's own messages: list query and .search, and PatchOp (RFC 7644 sections 3.4 and 3.5.2)."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import marshmallow as ma

from scim.errors import InvalidCount, InvalidSyntax, InvalidValue, NoTarget, shorten
from scim.filters import parse_filter
from scim.protocol.patch import Operation
from scim.protocol.paths import Path, read_path
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.protocol.query import Query
from scim.schema.fields import Field, first_error
from scim.schema.resource_types import ResourceType, Target
from scim.schema.validation import check_writable, load_value

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
MAX_PATCH_OPERATIONS = 1_000
MAX_NAMES = 1_000  # in `attributes` or `excludedAttributes`
MAX_SCHEMAS = 100  # in a message's `schemas`
MAX_START_INDEX = 2**53 - 1  # the largest whole number that every reader of JSON reads exactly


class Message(ma.Schema):
    """The base of all messages: what they do not define is passed over. They have no defaults, and no hooks."""

    def load(self, data: Any, **_: Any) -> dict[str, Any]:
        """Return the values by their fields' names; of what is not there, only what is required is looked at."""
        if not isinstance(data, dict):
            raise ma.ValidationError("must be an object")
        loaded: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, name, field in self._keys:
            if key in data or field.required:
                try:
                    loaded[name] = field.deserialize(data.get(key, ma.missing))
                except ma.ValidationError as error:
                    errors[key] = error.messages
        if errors:
            raise ma.ValidationError(errors)
        return loaded

    @cached_property
    def _keys(self) -> list[tuple[str, str, ma.fields.Field[Any]]]:
        return [(field.data_key or name, name, field) for name, field in self.load_fields.items()]


class Text(Field[str], ma.fields.String):
    """A string."""


class Word(Text):
    """One of a few words."""

    def __init__(self, *words: str, **options: Any) -> None:
        super().__init__(**options)
        self._words = words

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if text not in self._words:
            *others, last = self._words
            raise ma.ValidationError(f"must be {', '.join(others)} or {last}")
        return text


class _Any(Field[Any], ma.fields.Raw):
    """Whatever is there."""


class List(Field[list[Any]], ma.fields.List[Any]):
    """A list; where it may have only so many elements, they are counted before any is read."""

    def __init__(self, element: ma.fields.Field[Any], *, at_most: int | None = None, **options: Any) -> None:
        super().__init__(element, **options)
        self._at_most = at_most

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> list[Any]:
        if self._at_most is not None and isinstance(value, list) and len(value) > self._at_most:
            raise ma.ValidationError(f"must have at most {self._at_most} elements")
        return super()._deserialize(value, attr, data) or []


class Part(Field[dict[str, Any]]):
    """A message inside a message."""

    def __init__(self, message: Message, **options: Any) -> None:
        super().__init__(**options)
        self._message = message

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> dict[str, Any]:
        return self._message.load(value)


class _Names(Field[tuple[str, ...]]):
    """Attribute names: a list in a body, separated by commas in a URL."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> tuple[str, ...]:
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ma.ValidationError("must list names of attributes")
        if len(names) > MAX_NAMES:
            raise ma.ValidationError(f"must list at most {MAX_NAMES} names")
        return tuple(name.strip() for name in names if name.strip())


class _Whole(Field[int]):
    """A whole number: as such in a body, as text in a URL."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ma.ValidationError("must be a whole number")
        return value


_DIGITS = re.compile(r"[+-]?\d{1,30}", re.ASCII)


class _QuerySchema(Message):
    """The parameters of a query, in a URL or in the body of a .search."""

    schemas = List(Text(), at_most=MAX_SCHEMAS)
    filter = Text()
    sort_by = Text(data_key="sortBy")
    sort_order = Word("ascending", "descending", data_key="sortOrder")
    start_index = _Whole(data_key="startIndex")
    count = _Whole()
    cursor = Text()
    attributes = _Names()
    excluded = _Names(data_key="excludedAttributes")


class _OperationSchema(Message):
    """An operation of a PatchOp message."""

    op = Word("add", "remove", "replace", required=True)
    path = Text()
    value = _Any(allow_none=True)


class _PatchSchema(Message):
    schemas = List(Text(), at_most=MAX_SCHEMAS, required=True)
    operations = List(Part(_OperationSchema()), data_key="Operations", required=True)


SEARCH_PARAMETERS = tuple(str(field.data_key or name) for name, field in _QuerySchema().fields.items())
_QUERY, _PATCH = _QuerySchema(), _PatchSchema()


def load_query(
    parameters: Mapping[str, Any], *, default_count: int, max_count: int, max_steps: int, message: bool = False
) -> tuple[Query, Projection]:
    """Return a query and what of each resource it asks for. Raises InvalidValue, InvalidFilter, InvalidCount.

    Out of range, startIndex and count are moved to the nearest value that is in it (RFC 7644 section 3.4.2.4).
    `message`: they came in a body, which must then be a SearchRequest.
    """
    if message:
        expect(parameters, SEARCH_REQUEST)
    try:
        loaded = _QUERY.load(parameters)
    except ma.ValidationError as error:
        kind = InvalidCount if "count" in error.messages and "cursor" in parameters else InvalidValue
        raise kind(first_sentence(error.messages)) from None
    query = Query(
        filter=parse_filter(loaded["filter"]) if "filter" in loaded else None,
        sort_by=loaded.get("sort_by") or None,
        descending=loaded.get("sort_order") == "descending",
        start_index=min(max(loaded.get("start_index", 1), 1), MAX_START_INDEX),
        count=min(max(loaded.get("count", default_count), 0), max_count),
        cursor=loaded.get("cursor"),
        max_steps=max_steps,
    )
    return query, _projection(loaded)


def load_projection(parameters: Mapping[str, Any]) -> Projection:
    """Return what of a resource a request asks for. Raises InvalidValue."""
    if not any(name in parameters for name in _PROJECTION):
        return DEFAULT_PROJECTION
    try:
        loaded = _QUERY.load({name: parameters[name] for name in _PROJECTION if name in parameters})
    except ma.ValidationError as error:
        raise InvalidValue(first_sentence(error.messages)) from None
    return _projection(loaded)


def _projection(loaded: Mapping[str, Any]) -> Projection:
    attributes, excluded = loaded.get("attributes", ()), loaded.get("excluded", ())
    return Projection(attributes, excluded) if attributes or excluded else DEFAULT_PROJECTION


_PROJECTION = ("attributes", "excludedAttributes")


def load_patch(type: ResourceType, body: Mapping[str, Any]) -> tuple[list[Operation], list[str]]:
    """Return the operations of a PatchOp message and the names in their values that no schema knows.

    What a value without a path holds becomes one operation for each attribute. Raises InvalidSyntax,
    InvalidPath, InvalidFilter, InvalidValue, NoTarget, Mutability.
    """
    expect(body, PATCH_OP)
    try:
        loaded = _PATCH.load(body)
    except ma.ValidationError as error:
        raise InvalidSyntax(first_sentence(error.messages)) from None
    sent = loaded["operations"]
    if len(sent) > MAX_PATCH_OPERATIONS:
        raise InvalidSyntax(f"Operations: has more than {MAX_PATCH_OPERATIONS} operations.")
    unknown: list[str] = []
    operations = [operation for raw in sent for operation in _operations(type, raw, unknown)]
    return operations, unknown


def _operations(type: ResourceType, raw: Mapping[str, Any], unknown: list[str]) -> Iterator[Operation]:
    op, text, value = raw["op"], raw.get("path"), raw.get("value")
    if not text:
        if op == "remove":
            raise NoTarget('"remove" needs a path.')
        yield from _without_path(type, op, value, unknown)
        return
    path = read_path(text, type)
    if op != "remove" and "value" not in raw:
        raise InvalidValue(f'"{op}" of {shorten(text)} needs a value.')
    yield from _at(type, op, path, value, unknown)


def _without_path(type: ResourceType, op: str, value: Any, unknown: list[str]) -> Iterator[Operation]:
    if not isinstance(value, dict):
        raise InvalidValue(f'"{op}" without a path needs an object of attributes as its value.')
    for name, one in value.items():
        urn = type.urn(name)
        target = Target(urn, None) if urn and urn != type.schema.id else type.resolve(name)
        if urn == type.schema.id:
            yield from _without_path(type, op, one, unknown)
        elif target is None:
            unknown.append(name)
        elif op != "add" or one is not None or not _takes_more(Path(target)):
            yield from _at(type, op, Path(target), one, unknown)


def _at(type: ResourceType, op: str, path: Path, value: Any, unknown: list[str]) -> Iterator[Operation]:
    target = path.target
    if op == "add" and value is None and _takes_more(path):
        check_writable(target)
    elif op == "remove" or value is None:  # null is no value (RFC 7643 section 2.5)
        yield Operation("remove", target, path.filter)
    elif target.attribute is None:
        yield from _in_extension(type, op, target, value, unknown)
    elif target.attribute.name != "schemas":  # which follows from what the resource holds
        loaded = load_value(target, value, unknown, element=path.filter is not None)
        if target.attribute.returned != "never":  # what nobody will ever read is not kept
            yield Operation(op, target, path.filter, loaded)


def _takes_more(path: Path) -> bool:
    """Tell whether what is added stands beside what is there, so that to add nothing changes nothing."""
    attribute = path.target.attribute
    return attribute is None or (attribute.multi_valued and not path.filter)


def _in_extension(type: ResourceType, op: str, target: Target, value: Any, unknown: list[str]) -> Iterator[Operation]:
    if not isinstance(value, dict):
        raise InvalidValue(f"{target} must be an object.")
    for name, one in value.items():
        inner = type.resolve(f"{target.extension}:{name}")
        if inner:
            yield from _at(type, op, Path(inner), one, unknown)
        else:
            unknown.append(f"{target.extension}:{name}")


def expect(body: Mapping[str, Any], urn: str) -> None:
    """Raise InvalidSyntax if the body does not declare itself to be this message."""
    schemas = body.get("schemas")
    listed = schemas if isinstance(schemas, list) else []
    if urn.lower() not in [str(one).lower() for one in listed]:
        raise InvalidSyntax(f'"schemas" must list {urn}.')


def first_sentence(messages: Any) -> str:
    """Return the first of marshmallow's messages as a sentence."""
    keys, text = first_error(messages)
    where = ""
    for key in keys:
        where += f"[{key}]" if isinstance(key, int) else f".{key}" if where else key
    return f"{where}: {text}."
