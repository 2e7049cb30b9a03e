"""Group membership, each one a document of its own: joining a large group costs what joining a small one does."""

from collections.abc import Iterable, Mapping
from typing import Any

from scim.attributes import Attribute
from scim.errors import Mutability, NoTarget
from scim.filters import Compare, Filter, Or, compile_filter
from scim.patch import Operation
from scim.registry import ResourceType
from scim.tolerance import Element, Fill
from storage.base import Document, Index, Reader, Writer

GROUP = "Group"
MEMBERS = "members"
MEMBERSHIP = "Membership"
INDEXES = (
    Index(MEMBERSHIP, "group", lambda membership: (membership["group"],)),
    Index(MEMBERSHIP, "member", lambda membership: (membership["member"],)),
)


def of_group(reader: Reader, group: str) -> Iterable[Document]:
    """Yield the memberships in a group, in the order of joining."""
    return reader.lookup(MEMBERSHIP, "group", group)


def of_member(reader: Reader, member: str) -> Iterable[Document]:
    """Yield the memberships that a user or a group has."""
    return reader.lookup(MEMBERSHIP, "member", member)


def has(reader: Reader, group: str, member: str) -> bool:
    """Tell whether the group has the member itself, not through another group."""
    return reader.get(MEMBERSHIP, _id(group, member)) is not None


def is_members(type: ResourceType, extension: str | None, attribute: Attribute | None) -> bool:
    """Tell whether this is the attribute whose values are kept here."""
    return type.name == GROUP and extension is None and attribute is not None and attribute.name == MEMBERS


def split(type: ResourceType, operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
    """Part the operations on members from the rest. They touch different things, so each keeps its own order."""
    own: list[Operation] = []
    members: list[Operation] = []
    for operation in operations:
        target = operation.target
        (members if is_members(type, target.extension, target.attribute) else own).append(operation)
    return own, members


def put(writer: Writer, group: str, elements: Iterable[Element]) -> bool:
    """Make these the members of the group; tell whether that changed anything."""
    wanted = {element["value"]: element for element in elements if "value" in element}
    gone = [one["member"] for one in of_group(writer, group) if one["member"] not in wanted]
    removed = sum(_remove(writer, group, member) for member in gone)
    added = sum(_add(writer, group, element) for element in wanted.values())
    return removed + added > 0


def apply(writer: Writer, group: str, operations: Iterable[Operation], fill: Fill) -> bool:
    """Carry out operations on the members of the group; tell whether they changed anything. Mutability, NoTarget."""
    return sum(_apply(writer, group, operation, fill) for operation in operations) > 0


def forget(writer: Writer, id: str) -> list[str]:
    """Take a user or a group out of every group, and everybody out of it; return the groups that it has left."""
    left = [membership["group"] for membership in of_member(writer, id)]
    for group in left:
        _remove(writer, group, id)
    put(writer, id, [])
    return left


def _apply(writer: Writer, group: str, operation: Operation, fill: Fill) -> bool:
    if operation.filter is not None:
        return _apply_selected(writer, group, operation, operation.filter, fill)
    if operation.target.sub is not None:
        raise Mutability(f"{operation.target} is immutable: add and remove members as a whole.")
    if operation.op == "remove":
        return put(writer, group, [])
    if operation.op == "replace":
        return put(writer, group, operation.value)
    return sum(_add(writer, group, element) for element in operation.value) > 0


def _apply_selected(writer: Writer, group: str, operation: Operation, filter: Filter, fill: Fill) -> bool:
    attribute = operation.target.attribute
    assert attribute
    selected = list(_selected(writer, group, attribute, filter))
    if operation.op == "remove" and operation.target.sub is None:
        return sum(_remove(writer, group, member) for member in selected) > 0
    if selected:
        _refuse_change(operation)
        return False
    element = fill(attribute, filter, operation.target.sub, operation.value) if operation.op != "remove" else {}
    if element is None:
        raise NoTarget("No member matches the filter in the path.")
    return _add(writer, group, element)


def _refuse_change(operation: Operation) -> None:
    """Refuse to change a member's value; its other parts follow from the member, and what is sent for them is none."""
    if operation.op == "remove" or (operation.target.sub and operation.target.sub.name == "value"):
        raise Mutability(f"{operation.target} is immutable: add and remove members as a whole.")


def _selected(reader: Reader, group: str, attribute: Attribute, filter: Filter) -> Iterable[str]:
    """Yield the members that a filter selects; those named by their value cost nothing for the others."""
    named = _named(filter)
    if named is not None:
        return [member for member in named if has(reader, group, member)]
    matches = compile_filter(filter, attribute)
    return [one["member"] for one in of_group(reader, group) if matches(stored_element(one))]


def _named(filter: Filter) -> list[str] | None:
    match filter:
        case Compare(path, "eq", str(value)) if path.lower() == "value":
            return [value]
        case Or(terms):
            named = [_named(term) for term in terms]
            return None if None in named else [value for values in named if values for value in values]
    return None


def stored_element(membership: Document) -> Element:
    """Return the element of `members` as far as the membership itself tells."""
    said = {"type": membership["type"]} if "type" in membership else {}
    return {"value": membership["member"], **said}


def _add(writer: Writer, group: str, element: Mapping[str, Any]) -> bool:
    member = element.get("value")
    if not member or has(writer, group, member):
        return False
    said = {"type": element["type"]} if element.get("type") else {}
    writer.insert(MEMBERSHIP, {"id": _id(group, member), "group": group, "member": member, **said})
    return True


def _remove(writer: Writer, group: str, member: str) -> bool:
    if not has(writer, group, member):
        return False
    writer.delete(MEMBERSHIP, _id(group, member))
    return True


def _id(group: str, member: str) -> str:
    """Return the membership's id; a group's own id has no dot, so no two pairs share one."""
    return f"{group}.{member}"
