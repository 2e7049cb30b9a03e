"""The BulkRequest message (RFC 7644 section 3.7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma

from scim.errors import InvalidSyntax, InvalidValue, TooLarge
from scim.protocol.fields import one_of
from scim.protocol.messages import NOT_A_LIST, MessageSchema, check_path_length, first_sentence

BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """One operation of a bulk request; `data` is the body as it was sent."""

    method: str
    path: str
    bulk_id: str | None = None
    version: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def creates(self) -> bool:
        """Whether it makes a resource that other operations can refer to."""
        return self.method == "POST" and bool(self.bulk_id)


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A bulk request."""

    operations: list[BulkOperation]
    fail_on_errors: int | None = None


class BulkOperationSchema(MessageSchema):
    """An operation of a bulk request."""

    method = ma.fields.String(required=True, validate=one_of("POST", "PUT", "PATCH", "DELETE"))
    path = ma.fields.String(required=True)
    bulk_id = ma.fields.String(data_key="bulkId")
    version = ma.fields.String()
    data = ma.fields.Dict()

    @ma.post_load
    def make_operation(self, data: dict[str, Any], **_: Any) -> BulkOperation:
        """Return the typed operation."""
        return BulkOperation(**data)


class BulkRequestSchema(MessageSchema):
    """The body of a bulk request."""

    urn = BULK_REQUEST

    fail_on_errors = ma.fields.Integer(data_key="failOnErrors", strict=True, validate=ma.validate.Range(min=1))
    operations = ma.fields.Nested(
        BulkOperationSchema, many=True, data_key="Operations", required=True, error_messages=NOT_A_LIST
    )

    def __init__(self, max_operations: int) -> None:
        super().__init__()
        self._max_operations = max_operations

    @ma.pre_load
    def canonicalise_keys(self, data: Any, **kwargs: Any) -> Any:
        """Count the operations before any of them is read. Raises TooLarge, InvalidSyntax."""
        result = super().canonicalise_keys(data, **kwargs)
        operations = result.get("Operations")
        if isinstance(operations, list) and len(operations) > self._max_operations:
            raise TooLarge(f"The bulk request has more operations than maxOperations ({self._max_operations}).")
        return result

    @ma.post_load
    def make_request(self, data: dict[str, Any], **_: Any) -> BulkRequest:
        """Return the typed request."""
        return BulkRequest(**data)


def load_bulk(body: Mapping[str, Any], *, max_operations: int) -> tuple[list[BulkOperation], int | None]:
    """Return the operations of a BulkRequest and its failOnErrors.

    Raises InvalidSyntax, InvalidValue, TooLarge, TooMany.
    """
    try:
        request: BulkRequest = BulkRequestSchema(max_operations).load(body)
    except ma.ValidationError as error:
        raise InvalidSyntax(first_sentence(error.messages)) from None
    check_path_length(operation.data for operation in request.operations)
    ids = [operation.bulk_id for operation in request.operations if operation.bulk_id]
    if len(set(ids)) < len(ids):
        raise InvalidValue("A bulkId must be unique within the request.")
    return request.operations, request.fail_on_errors
