"""Group membership, each one a document of its own: joining a large group costs what joining a small one does."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim.budget import Budget
from scim.errors import Mutability
from scim.filters import Compare, Filter, compile_filter
from scim.protocol.leniency import Element, MakeMissingElement
from scim.protocol.patch import Operation, filled_element
from scim.protocol.selection import alternatives, steps_of
from scim.schema.attributes import Attribute
from scim.schema.resource_types import GROUP, MEMBERS, MEMBERSHIP, ResourceType
from storage.base import ID, Document, Index, Reader, Writer

INDEXES = (
    Index(MEMBERSHIP, "group", lambda membership: (membership["group"],)),
    Index(MEMBERSHIP, "member", lambda membership: (membership["member"],)),
)

_NONE = Budget(0, "")  # for what needs no filter

LISTED = 1_000  # members that an event names; how many moved in all is counted


@dataclass(slots=True)
class MembershipChanges:
    """Who joined and who left a group: all are counted, the first of them are listed."""

    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    count: int = 0

    def note_joined(self, member: str) -> None:
        """Count a member that joined, and list it if there is room."""
        self._note(self.joined, member)

    def note_left(self, member: str) -> None:
        """Count a member that left, and list it if there is room."""
        self._note(self.left, member)

    def _note(self, members: list[str], member: str) -> None:
        self.count += 1
        if len(members) < LISTED:
            members.append(member)


def of_group(reader: Reader, group: str) -> Iterable[Document]:
    """Yield the memberships in a group, in the order of joining."""
    return reader.lookup(MEMBERSHIP, "group", group)


def of_member(reader: Reader, member: str) -> Iterable[Document]:
    """Yield the memberships that a user or a group has."""
    return reader.lookup(MEMBERSHIP, "member", member)


def has(reader: Reader, group: str, member: str) -> bool:
    """Return whether the group has the member itself, not through another group."""
    return bool(reader.sealed_lookup(MEMBERSHIP, ID, membership_id(group, member)))


@dataclass(frozen=True, slots=True)
class Values:
    """The `value`s of a group's members: which of them there are is looked up, and never listed."""

    reader: Reader
    group: str

    def __contains__(self, member: object) -> bool:
        return isinstance(member, str) and has(self.reader, self.group, member)


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


def set_members(writer: Writer, group: str, elements: Iterable[Element]) -> MembershipChanges:
    """Make these the members of the group."""
    return _Group(writer, group).put(elements)


Answered = Callable[[Document], Element]
"""Gives a membership as an element that is answered, for a filter that asks for more than its value."""


def foreseen_steps(reader: Reader, group: str, operations: Iterable[Operation]) -> int:
    """Return how many steps operations take on the members that a group has now."""
    each = sum(operation.steps for operation in operations)
    return each * len(reader.sealed_lookup(MEMBERSHIP, "group", group)) if each else 0


def apply(
    writer: Writer,
    group: str,
    operations: Iterable[Operation],
    budget: Budget,
    make_missing_element: MakeMissingElement,
    answered: Answered,
) -> MembershipChanges:
    """Carry out operations on the members of the group. Raises Mutability, NoTarget, TooMany."""
    changing = _Group(writer, group, budget, answered)
    for operation in operations:
        changing.apply(operation, make_missing_element)
    return changing.moves


def remove_references(writer: Writer, id: str) -> list[str]:
    """Take a user or a group out of every group, and everybody out of it; return the groups that it has left."""
    left = [membership["group"] for membership in of_member(writer, id)]
    for group in left:
        _Group(writer, group).remove(id)
    set_members(writer, id, [])
    return left


class _Group:
    """A group whose members change, and who has joined and left meanwhile."""

    def __init__(self, writer: Writer, id: str, budget: Budget = _NONE, answered: Answered = dict) -> None:
        self.moves = MembershipChanges()
        self._writer, self._id, self._budget, self._answered = writer, id, budget, answered

    def put(self, elements: Iterable[Element]) -> MembershipChanges:
        wanted = {element["value"]: element for element in elements if "value" in element}
        for gone in [one["member"] for one in of_group(self._writer, self._id) if one["member"] not in wanted]:
            self.remove(gone)
        for element in wanted.values():
            self.add(element)
        return self.moves

    def apply(self, operation: Operation, make_missing_element: MakeMissingElement) -> None:
        if operation.filter is not None:
            self._apply_selected(operation, operation.filter, make_missing_element)
        elif operation.target.sub is not None:
            raise Mutability(f"{operation.target} is immutable: add and remove members as a whole.")
        elif operation.op == "add":
            for element in operation.value:
                self.add(element)
        else:
            self.put([] if operation.op == "remove" else operation.value)

    def _apply_selected(self, operation: Operation, filter: Filter, make_missing_element: MakeMissingElement) -> None:
        attribute = operation.target.attribute
        assert attribute
        selected = self._selected(attribute, filter)
        if operation.op == "remove" and operation.target.sub is None:
            for member in selected:
                self.remove(member)
        elif selected:
            _check_unchanged(operation, selected)
        elif operation.op != "remove":
            element = make_missing_element(attribute, filter, operation.target.sub, operation.value)
            self.add(filled_element(operation.target, element))

    def _selected(self, attribute: Attribute, filter: Filter) -> list[str]:
        """Return the members that a filter selects; those named by their value cost nothing for the others."""
        selected: dict[str, None] = {}
        for term, named in alternatives(filter, attribute):
            if named is None:
                selected.update(dict.fromkeys(self._matching(attribute, term, of_group(self._writer, self._id))))
            elif membership := self._writer.get(MEMBERSHIP, membership_id(self._id, str(named))):
                alone = isinstance(term, Compare)  # the look-up has decided it
                selected.update(dict.fromkeys([str(named)] if alone else self._matching(attribute, term, [membership])))
        return list(selected)

    def _matching(self, attribute: Attribute, filter: Filter, memberships: Iterable[Document]) -> list[str]:
        matches = compile_filter(filter, attribute, budget=self._budget)
        found = []
        for membership in memberships:
            element = self._answered(membership)
            self._budget.spend(steps_of(element, attribute))
            if matches(element):
                found.append(membership["member"])
        return found

    def add(self, element: Mapping[str, Any]) -> None:
        member = element.get("value")
        if not member or has(self._writer, self._id, member):
            return
        said = {"type": element["type"]} if element.get("type") else {}
        id = membership_id(self._id, member)
        self._writer.insert(MEMBERSHIP, {"id": id, "group": self._id, "member": member, **said})
        self.moves.note_joined(member)

    def remove(self, member: str) -> None:
        if has(self._writer, self._id, member):
            self._writer.delete(MEMBERSHIP, membership_id(self._id, member))
            self.moves.note_left(member)


def _check_unchanged(operation: Operation, selected: list[str]) -> None:
    """Raise Mutability if the operation would change a member's `value`.

    Its other sub-attributes are derived from the member, so what is sent for them is ignored.
    """
    sub, value = operation.target.sub, operation.value
    wanted = value.get("value") if isinstance(value, dict) else value if sub and sub.name == "value" else None
    if operation.op == "remove" or (wanted is not None and selected != [wanted]):
        raise Mutability(f"{operation.target} is immutable: add and remove members as a whole.")


def stored_element(membership: Document) -> Element:
    """Return the element of `members` as far as the membership itself tells."""
    said = {"type": membership["type"]} if "type" in membership else {}
    return {"value": membership["member"], **said}


def membership_id(group: str, member: str) -> str:
    """Return the membership's id; a group's own id has no dot, so no two pairs share one."""
    return f"{group}.{member}"
