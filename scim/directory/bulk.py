"""Carries out bulk requests, in the order that their bulkIds require (RFC 7644 section 3.7)."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from scim.budget import Budget
from scim.directory.resources import Resources, WriteResult, new_id
from scim.errors import Conflict, InternalError, InvalidSyntax, NotFound, ScimError, shorten
from scim.protocol.bulk import BULK_RESPONSE, BulkOperation
from scim.protocol.preconditions import Preconditions, version_of
from scim.schema.resource_types import Registry, ResourceType

log = logging.getLogger("tinyscim")

_WHOLE = re.compile(r"bulkId:(\S+)")
_IN_PATH = re.compile(r"""(?<=["'/])bulkId:([^"'/\s]+)""")


Report = Callable[[BulkOperation, float, WriteResult | None, Mapping[str, Any]], None]
"""Called after each operation, with the operation (bulkIds resolved), its milliseconds, write result and response."""


class Bulk:
    """One bulk request. The ids of all new resources are reserved at the start, so that references may be circular."""

    def __init__(self, resources: Resources, budget: Budget, report: Report) -> None:
        self._resources, self._budget, self._report = resources, budget, report
        self._operations: list[BulkOperation] = []
        self._reserved_ids: dict[str, str] = {}
        self._failed: set[str] = set()
        self._results: dict[int, dict[str, Any]] = {}

    def run(self, operations: list[BulkOperation], fail_on_errors: int | None) -> dict[str, Any]:
        """Carry out the operations and return the BulkResponse, in the order of the request."""
        self._operations = operations
        self._reserved_ids = {
            operation.bulk_id: new_id() for operation in operations if operation.bulk_id and operation.creates
        }
        errors = 0
        for index in self._order():
            result = self._carry_out(operations[index])
            self._results[index] = result
            errors += int(result["status"]) >= 400
            if fail_on_errors and errors >= fail_on_errors:
                break
        self._release_unreached_ids()
        return {
            "schemas": [BULK_RESPONSE],
            "Operations": [self._results[index] for index in sorted(self._results)],
        }

    def _release_unreached_ids(self) -> None:
        """Remove references to resources whose POST was not reached because failOnErrors ended the request."""
        for index, operation in enumerate(self._operations):
            if index not in self._results and operation.bulk_id in self._reserved_ids:
                self._release_id(operation.bulk_id)

    def _release_id(self, bulk_id: str) -> None:
        try:
            self._resources.release_reserved_id(self._reserved_ids[bulk_id])
        except Exception:  # the response must still contain the other results
            log.exception("references to the bulkId %s could not be removed", json.dumps(shorten(bulk_id)))

    def _order(self) -> Iterator[int]:
        """Yield indexes of operations, each after those that it refers to; a cycle starts at its first operation."""
        creating = {operation.bulk_id: index for index, operation in enumerate(self._operations) if operation.creates}
        begun: set[int] = set()
        for start in range(len(self._operations)):
            waiting = [(start, False)]
            while waiting:
                index, ready = waiting.pop()
                if ready:
                    yield index
                elif index not in begun:
                    begun.add(index)
                    waiting.append((index, True))
                    mentioned = dict.fromkeys(_references(self._operations[index]))
                    needed = [creating[id] for id in mentioned if id in creating]
                    waiting += [(other, False) for other in reversed(needed) if other not in begun]

    def _carry_out(self, operation: BulkOperation) -> dict[str, Any]:
        result: dict[str, Any] = {"method": operation.method}
        written: WriteResult | None
        if operation.bulk_id:
            result["bulkId"] = operation.bulk_id
        location, started, resolved = "", time.perf_counter(), operation
        try:
            resolved = self._resolved(operation)
            type, id = _destination(self._resources.registry, resolved)
            if id:
                location = self._resources.resource_url(type, id)
            status, written = self._run(resolved, type, id)
        except ScimError as error:
            written, result = None, self._failure(operation, result, location, error)
        except Exception:  # the response must still contain the other results
            log.exception("an operation of a bulk request failed")
            unexpected = InternalError("The service failed to carry out this operation. Its log says why.")
            written, result = None, self._failure(operation, result, location, unexpected)
        else:
            result["location"] = self._resources.resource_url(type, written.id)
            if written.after:
                result["version"] = version_of(written.after)
            result["status"] = str(status)
        self._report(resolved, (time.perf_counter() - started) * 1000, written, result)
        return result

    def _run(self, operation: BulkOperation, type: ResourceType, id: str) -> tuple[int, WriteResult]:
        """Carry out the write of an operation, and return its status and result."""
        resources, data, conditions = self._resources, operation.data, Preconditions(if_match=operation.version)
        match operation.method:
            case "POST" if operation.bulk_id:
                return 201, resources.create(type, data, id=self._reserved_ids[operation.bulk_id])
            case "POST":
                raise InvalidSyntax("A POST in a bulk request needs a bulkId.")
            case "PUT":
                return 200, resources.replace(type, id, data, conditions)
            case "PATCH":
                status = 200 if resources.leniency.answers_patch_with_resource(type) else 204
                return status, resources.patch(type, id, data, self._budget, conditions)
        return 204, resources.delete(type, id, conditions)

    def _failure(
        self, operation: BulkOperation, result: dict[str, Any], location: str, error: ScimError
    ) -> dict[str, Any]:
        if operation.bulk_id in self._reserved_ids:
            self._failed.add(operation.bulk_id)
            self._release_id(operation.bulk_id)
        if location:
            result["location"] = location
        return {**result, "status": str(error.status), "response": error.to_body()}

    def _resolved(self, operation: BulkOperation) -> BulkOperation:
        """Return the operation with ids in place of bulkIds. Raises Conflict if one was not created."""
        for bulk_id in _references(operation):
            if bulk_id in self._failed or bulk_id not in self._reserved_ids:
                raise Conflict(f'The resource with the bulkId "{shorten(bulk_id)}" was not created.')
        path = self._with_ids(operation.path, "path")
        return replace(operation, path=path, data=self._with_ids(operation.data))

    def _with_ids(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            whole = _WHOLE.fullmatch(value)
            if whole:
                return self._reserved_ids[whole[1]]
            return _IN_PATH.sub(lambda found: self._reserved_ids[found[1]], value) if _is_path(name) else value
        if isinstance(value, list):
            return [self._with_ids(item) for item in value]
        if isinstance(value, dict):
            return {name: self._with_ids(item, name) for name, item in value.items()}
        return value


def _destination(registry: Registry, operation: BulkOperation) -> tuple[ResourceType, str]:
    endpoint, _, id = operation.path.strip("/").partition("/")
    type = registry.at(endpoint)
    if type is None or "/" in id or (operation.method == "POST" and id):
        raise NotFound(f"There is nothing at {shorten(operation.path)}.")
    id = unquote(id)
    if operation.method != "POST" and not id:
        raise InvalidSyntax(f"{operation.method} needs the path of a resource, such as /Users/ID.")
    return type, id


def _references(operation: BulkOperation) -> Iterator[str]:
    """Yield the bulkIds that the operation mentions."""
    yield from _mentioned("path", operation.path)
    for name, text in _texts(operation.data):
        yield from _mentioned(name, text)


def _mentioned(name: str, text: str) -> list[str]:
    """Return the bulkIds in a text: as the whole text, or as an id within a PATCH path."""
    whole = _WHOLE.fullmatch(text)
    if whole:
        return [whole[1]]
    return _IN_PATH.findall(text) if _is_path(name) else []


def _is_path(name: str) -> bool:
    return name.lower() == "path"


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every text with its member's name."""
    waiting = [("", value)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, str):
            yield name, item
        elif isinstance(item, dict):
            waiting += item.items()
        elif isinstance(item, list):
            waiting += [(name, inner) for inner in item]
