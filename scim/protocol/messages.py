"""The request messages of RFC 7644 as marshmallow schemas: query, SearchRequest and PatchOp."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain
from typing import Any

import marshmallow as ma

from scim.errors import InvalidCount, InvalidSyntax, InvalidValue, TooMany, shorten
from scim.filters.lexer import MAX_LENGTH
from scim.protocol.fields import (
    AttributeNamesField,
    FilterField,
    IntegerField,
    KeywordField,
    PathField,
    one_of,
)
from scim.protocol.paths import PatchOperation
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.protocol.query import Query, SearchRequest
from scim.schema.attributes import fold
from scim.schema.fields import first_error

SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
MAX_PATCH_OPERATIONS = 1_000
MAX_PATH_LENGTH = 300_000  # characters; reading a filter in a path takes about a microsecond for each
_MAX_SCHEMAS = 100


NOT_A_LIST: dict[str, Any] = {"type": "must be a list"}


class MessageSchema(ma.Schema):
    """The base of all messages: unknown names are ignored, and names are case-insensitive.

    A message without `schemas` is taken for the one that its endpoint expects; any other must list `urn`. With an empty
    `urn` it may list any, and without one `schemas` is not looked at.
    """

    class Meta:
        """marshmallow's options."""

        unknown = ma.EXCLUDE

    urn: str | None = None
    error_messages = {"type": "must be an object"}

    @ma.pre_load
    def canonicalise_keys(self, data: Any, **_: Any) -> Any:
        """Spell the names as the schema does. Raises InvalidSyntax if a name appears twice or `schemas` is wrong."""
        if not isinstance(data, dict):
            return data
        result: dict[str, Any] = {}
        for key, value in data.items():
            name = self._names.get(key) or self._names.get(fold(key), str(key))
            if name in result:
                raise InvalidSyntax(f"{shorten(name)} appears twice.")
            result[name] = value
        if self.urn is not None and result.get("schemas") not in (None, []):
            _check_schemas(result["schemas"], self.urn)
        return result

    @cached_property
    def _names(self) -> dict[str, str]:
        return {spelling: name for name in (*_data_keys(self), "schemas") for spelling in (name, fold(name))}


def _data_keys(schema: ma.Schema) -> tuple[str, ...]:
    return tuple(field.data_key or name for name, field in schema.load_fields.items())


def _check_schemas(schemas: Any, urn: str) -> None:
    listed = schemas if isinstance(schemas, list) else []
    if urn and urn.lower() not in [str(text).lower() for text in listed]:
        raise InvalidSyntax(f'"schemas" must list {urn}.')
    if len(listed) > _MAX_SCHEMAS:
        raise ma.ValidationError(f"must have at most {_MAX_SCHEMAS} elements", "schemas")
    if not all(isinstance(text, str) for text in listed):
        raise ma.ValidationError("must list strings", "schemas")


class ProjectionSchema(MessageSchema):
    """The parameters that select attributes, in a URL."""

    attributes = AttributeNamesField()
    excluded_attributes = AttributeNamesField(data_key="excludedAttributes")

    @ma.post_load
    def make_request(self, data: dict[str, Any], **_: Any) -> SearchRequest:
        """Return the typed request."""
        return SearchRequest(**data)


class QuerySchema(ProjectionSchema):
    """The parameters of a query, in a URL. Empty ones are absent, except for the cursor of the first page."""

    filter = FilterField()
    sort_by = ma.fields.String(data_key="sortBy")
    sort_order = KeywordField(data_key="sortOrder", validate=one_of("ascending", "descending"))
    start_index = IntegerField(data_key="startIndex")
    count = IntegerField()
    cursor = ma.fields.String()

    @ma.pre_load
    def canonicalise_keys(self, data: Any, **kwargs: Any) -> Any:
        """Leave out what is empty. Raises InvalidSyntax."""
        result = super().canonicalise_keys(data, **kwargs)
        return {name: value for name, value in result.items() if value != "" or name == "cursor"}


class SearchRequestSchema(QuerySchema):
    """The body of a .search."""

    urn = SEARCH_REQUEST


class PatchOperationSchema(MessageSchema):
    """An operation of a PatchOp message."""

    op = KeywordField(required=True, validate=one_of("add", "remove", "replace"))
    path = PathField(allow_none=True)
    value = ma.fields.Raw(allow_none=True)

    @ma.post_load
    def make_operation(self, data: dict[str, Any], **_: Any) -> PatchOperation:
        """Return the typed operation."""
        return PatchOperation(**data)


def check_patch_length(operations: Any) -> None:
    """Raise InvalidSyntax if there are too many operations."""
    if isinstance(operations, list) and len(operations) > MAX_PATCH_OPERATIONS:
        raise InvalidSyntax(f"Operations: has more than {MAX_PATCH_OPERATIONS} operations.")


def check_path_length(messages: Iterable[Mapping[str, Any]]) -> None:
    """Raise TooMany if the paths in these PatchOp messages are too long together."""
    lists = (value for message in messages for value in _named(message, "operations") if isinstance(value, list))
    operations = chain.from_iterable(lists)
    paths = chain.from_iterable(_named(operation, "path") for operation in operations)
    # One that is longer than a filter may be is refused without being read.
    if sum(len(path) for path in paths if isinstance(path, str) and len(path) <= MAX_LENGTH) > MAX_PATH_LENGTH:
        raise TooMany(
            f"The paths of the PATCH operations have more than {MAX_PATH_LENGTH} characters together. "
            "Send fewer operations in a request, or list several values in one operation."
        )


def _named(message: Any, name: str) -> list[Any]:
    """Return what has a name in a message that has not been validated, however the name is spelled."""
    return [value for key, value in message.items() if fold(key) == name] if isinstance(message, dict) else []


class PatchOpSchema(MessageSchema):
    """The body of a PATCH; clients name all kinds of URNs in it."""

    urn = ""

    operations = ma.fields.Nested(
        PatchOperationSchema, many=True, data_key="Operations", required=True, error_messages=NOT_A_LIST
    )

    @ma.pre_load
    def canonicalise_keys(self, data: Any, **kwargs: Any) -> Any:
        """Count the operations and the length of their paths before one is read. Raises InvalidSyntax, TooMany."""
        result = super().canonicalise_keys(data, **kwargs)
        check_patch_length(result.get("Operations"))
        check_path_length([result])
        return result

    @ma.post_load
    def take_operations(self, data: dict[str, Any], **_: Any) -> list[PatchOperation]:
        """Return the typed operations."""
        operations: list[PatchOperation] = data["operations"]
        return operations


_PROJECTION, _QUERY, _SEARCH, _PATCH = ProjectionSchema(), QuerySchema(), SearchRequestSchema(), PatchOpSchema()
_PROJECTION_PARAMETERS = set(_data_keys(_PROJECTION))
_PARAMETERS = {fold(name): name for name in _data_keys(_QUERY)}


def parameter_name(name: str) -> str | None:
    """Return the parameter of a query that a name in a URL means, or None."""
    return _PARAMETERS.get(fold(name))


def load_query(
    parameters: Mapping[str, Any],
    *,
    default_count: int,
    max_count: int,
    max_steps: int,
    is_search_request: bool = False,
) -> tuple[Query, Projection]:
    """Return a query and its projection. Raises InvalidValue, InvalidFilter, InvalidCount.

    With `is_search_request` the parameters are the body of a SearchRequest.
    """
    try:
        request: SearchRequest = (_SEARCH if is_search_request else _QUERY).load(parameters)
    except ma.ValidationError as error:
        pages_by_cursor = "cursor" in map(parameter_name, parameters)
        kind = InvalidCount if "count" in error.messages and pages_by_cursor else InvalidValue
        raise kind(first_sentence(error.messages)) from None
    query = request.query(default_count=default_count, max_count=max_count, max_steps=max_steps)
    return query, request.projection


def load_projection(parameters: Mapping[str, Any]) -> Projection:
    """Return which attributes a request selects. Raises InvalidValue."""
    if _PROJECTION_PARAMETERS.isdisjoint(map(parameter_name, parameters)):
        return DEFAULT_PROJECTION
    try:
        request: SearchRequest = _PROJECTION.load(parameters)
    except ma.ValidationError as error:
        raise InvalidValue(first_sentence(error.messages)) from None
    return request.projection


def load_patch_message(body: Mapping[str, Any]) -> list[PatchOperation]:
    """Return the operations of a PatchOp message. Raises InvalidSyntax, InvalidPath."""
    try:
        operations: list[PatchOperation] = _PATCH.load(body)
    except ma.ValidationError as error:
        raise InvalidSyntax(first_sentence(error.messages)) from None
    return operations


def first_sentence(messages: Any) -> str:
    """Return the first of marshmallow's messages as a sentence."""
    keys, text = first_error(messages)
    where = ""
    for key in keys:
        where += f"[{key}]" if isinstance(key, int) else f".{key}" if where else key
    return f"{where}: {text}."
