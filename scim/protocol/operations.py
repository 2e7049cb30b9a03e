"""PATCH operations on their way from the message to `patch.apply`: paths resolved, values validated."""

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from scim.errors import InvalidValue, NoTarget, shorten
from scim.protocol.leniency import STRICT, Leniency
from scim.protocol.messages import MAX_PATCH_OPERATIONS, check_patch_length, load_patch_message
from scim.protocol.patch import Operation
from scim.protocol.paths import PatchOperation, Path, resolve_path
from scim.schema.resource_types import ResourceType, Target
from scim.schema.validation import check_writable, load_value


def load_patch(
    type: ResourceType, body: Mapping[str, Any], leniency: Leniency = STRICT
) -> tuple[list[Operation], list[str]]:
    """Return the operations of a PatchOp message and the unknown names in their values.

    A value without a path becomes one operation for each attribute. Raises InvalidSyntax, InvalidPath,
    InvalidFilter, InvalidValue, NoTarget, Mutability.
    """
    rewritten = leniency.patch_operations(type, load_patch_message(body))
    sent = list(islice(rewritten, MAX_PATCH_OPERATIONS + 1))
    check_patch_length(sent)
    unknown: list[str] = []
    return list(chain.from_iterable(_resolve(type, operation, unknown) for operation in sent)), unknown


def _resolve(type: ResourceType, sent: PatchOperation, unknown: list[str]) -> Iterator[Operation]:
    if sent.path is None:
        if sent.op == "remove":
            raise NoTarget('"remove" needs a path.')
        yield from _without_path(type, sent.op, sent.value, unknown)
        return
    path = resolve_path(sent.path, type)
    if sent.op != "remove" and not sent.has_value:
        raise InvalidValue(f'"{sent.op}" of {shorten(str(sent.path))} needs a value.')
    yield from _at(type, sent.op, path, sent.value, unknown)


def _without_path(type: ResourceType, op: str, value: Any, unknown: list[str]) -> Iterator[Operation]:
    if not isinstance(value, dict):
        raise InvalidValue(f'"{op}" without a path needs an object of attributes as its value.')
    for name, part in value.items():
        urn = type.urn(name)
        target = Target(urn, None) if urn and urn != type.schema.id else type.resolve(name)
        if urn == type.schema.id:
            yield from _without_path(type, op, part, unknown)
        elif target is None:
            unknown.append(name)
        elif op != "add" or part is not None or not _adds_elements(Path(target)):
            yield from _at(type, op, Path(target), part, unknown)


def _at(type: ResourceType, op: str, path: Path, value: Any, unknown: list[str]) -> Iterator[Operation]:
    target = path.target
    if op == "add" and value is None and _adds_elements(path):
        check_writable(target)
    elif op == "remove" or value is None:  # null means no value (RFC 7643 section 2.5)
        yield Operation("remove", target, path.filter)
    elif target.attribute is None:
        yield from _in_extension(type, op, target, value, unknown)
    elif target.attribute.name != "schemas":  # it is derived from the resource's content
        loaded = load_value(target, value, unknown, element=path.filter is not None)
        if target.attribute.returned != "never":  # a value that is never returned is not stored
            yield Operation(op, target, path.filter, loaded)


def _adds_elements(path: Path) -> bool:
    """Return whether "add" keeps the present values, so that adding nothing changes nothing."""
    attribute = path.target.attribute
    return attribute is None or (attribute.multi_valued and not path.filter)


def _in_extension(type: ResourceType, op: str, target: Target, value: Any, unknown: list[str]) -> Iterator[Operation]:
    if not isinstance(value, dict):
        raise InvalidValue(f"{target} must be an object.")
    for name, part in value.items():
        inner = type.resolve(f"{target.extension}:{name}")
        if inner:
            yield from _at(type, op, Path(inner), part, unknown)
        else:
            unknown.append(f"{target.extension}:{name}")
