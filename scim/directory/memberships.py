"""Group memberships. Each is a document, so joining a large group costs no more than joining a small one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from scim.budget import Budget
from scim.errors import Mutability
from scim.filters import Compare, Filter, compile_filter
from scim.protocol.leniency import Element, MakeMissingElement
from scim.protocol.patch import Operation, filled_element
from scim.protocol.selection import alternatives, steps_of
from scim.schema.attributes import Attribute
from scim.schema.resource_types import GROUP, MEMBERS, MEMBERSHIP, ResourceType
from storage.base import Document, Index, Reader, Writer

INDEXES = (
    Index(MEMBERSHIP, "group", lambda membership: (membership["group"],)),
    Index(MEMBERSHIP, "member", lambda membership: (membership["member"],)),
)

_NO_BUDGET = Budget(0, "")  # for changes that need no filter

_PART = 250
LISTED = 1_000  # members that an event names; the rest are only counted


T = TypeVar("T")


@dataclass(slots=True)
class MembershipChanges:
    """The members that joined and left a group: all are counted, the first ones listed."""

    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    count: int = 0

    def note_joined(self, member: str) -> None:
        """Count a member that joined, and list it if the list is not full."""
        self._note(self.joined, member)

    def note_left(self, member: str) -> None:
        """Count a member that left, and list it if the list is not full."""
        self._note(self.left, member)

    def _note(self, members: list[str], member: str) -> None:
        self.count += 1
        if len(members) < LISTED:
            members.append(member)


def parts(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the items in lists of a few hundred, for which a store can be asked at once."""
    rest = iter(items)
    while part := list(islice(rest, _PART)):
        yield part


def of_group(reader: Reader, group: str) -> Iterable[Document]:
    """Return the memberships in a group, in the order of joining."""
    return (stored.data for stored in reader.lookup(MEMBERSHIP, "group", group))


def of_member(reader: Reader, member: str) -> Iterable[Document]:
    """Return the memberships of a user or a group."""
    return (stored.data for stored in reader.lookup(MEMBERSHIP, "member", member))


def below(reader: Reader, groups: Iterable[str]) -> dict[str, None]:
    """Return the ids of the direct and indirect members of groups, the nearest first. Cycles are visited once."""
    found, waiting = dict[str, None](), list(groups)
    for group in waiting:
        for one in of_group(reader, group):
            if one["member"] not in found:
                found[one["member"]] = None
                waiting.append(one["member"])
    return found


def has(reader: Reader, group: str, member: str) -> bool:
    """Return whether the member is a direct member of the group."""
    return reader.get(MEMBERSHIP, membership_id(group, member)) is not None


@dataclass(frozen=True, slots=True)
class Values:
    """The `value`s of a group's members, looked up one by one and never listed."""

    reader: Reader
    group: str

    def __contains__(self, member: object) -> bool:
        return isinstance(member, str) and has(self.reader, self.group, member)


def is_members(type: ResourceType, extension: str | None, attribute: Attribute | None) -> bool:
    """Return whether this is the attribute `members` of groups."""
    return type.name == GROUP and extension is None and attribute is not None and attribute.name == MEMBERS


def split(type: ResourceType, operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
    """Split operations into those on the resource itself and those on its members, each in order."""
    own: list[Operation] = []
    members: list[Operation] = []
    for operation in operations:
        target = operation.target
        (members if is_members(type, target.extension, target.attribute) else own).append(operation)
    return own, members


def add_members(writer: Writer, group: str, elements: Iterable[Element]) -> MembershipChanges:
    """Add members to the group."""
    return _Group(writer, group).add(elements)


def set_members(writer: Writer, group: str, elements: Iterable[Element]) -> MembershipChanges:
    """Make these the members of the group."""
    return _Group(writer, group).set_members(elements)


Answered = Callable[[Document], Element]
"""Returns a membership as the element of `members` that clients see, for filters on more than its value."""


def foreseen_steps(reader: Reader, group: str, operations: Iterable[Operation]) -> int:
    """Return how many steps the operations take on the group's current members."""
    each = sum(operation.steps for operation in operations)
    return each * sum(1 for _ in reader.lookup(MEMBERSHIP, "group", group)) if each else 0


def apply(
    writer: Writer,
    group: str,
    operations: Iterable[Operation],
    budget: Budget,
    make_missing_element: MakeMissingElement,
    answered: Answered,
) -> MembershipChanges:
    """Apply operations to the members of the group. Raises Mutability, NoTarget, TooMany."""
    members = _Group(writer, group, budget, answered)
    for operation in operations:
        members.apply(operation, make_missing_element)
    return members.changes


def remove_references(writer: Writer, id: str) -> list[str]:
    """Remove an id from every group, and all members from it; return the groups that it was a member of."""
    left = list(of_member(writer, id))
    writer.delete(MEMBERSHIP, *(membership["id"] for membership in left))
    set_members(writer, id, [])
    return [membership["group"] for membership in left]


class _Group:
    """A group whose members change, and the changes so far."""

    def __init__(self, writer: Writer, id: str, budget: Budget = _NO_BUDGET, answered: Answered = dict) -> None:
        self.changes = MembershipChanges()
        self._writer, self._id, self._budget, self._answered = writer, id, budget, answered

    def set_members(self, elements: Iterable[Element]) -> MembershipChanges:
        new = {element["value"]: element for element in elements if "value" in element}
        self._remove([one for one in of_group(self._writer, self._id) if one["member"] not in new])
        return self.add(new.values())

    def apply(self, operation: Operation, make_missing_element: MakeMissingElement) -> None:
        if operation.filter is not None:
            self._apply_selected(operation, operation.filter, make_missing_element)
        elif operation.target.sub is not None:
            raise Mutability(f"{operation.target} is immutable: add and remove members as a whole.")
        elif operation.op == "add":
            self.add(operation.value)
        else:
            self.set_members([] if operation.op == "remove" else operation.value)

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
            matches = partial(self._would_match, attribute, filter)
            self.add([filled_element(operation.target, element, matches)])

    def _selected(self, attribute: Attribute, filter: Filter) -> list[str]:
        """Return the members that a filter selects; a member named by its value is looked up."""
        selected: dict[str, None] = {}
        for term, named in alternatives(filter, attribute):
            if named is None:
                selected.update(dict.fromkeys(self._matching(attribute, term, of_group(self._writer, self._id))))
            elif stored := self._writer.get(MEMBERSHIP, membership_id(self._id, str(named))):
                is_exact = isinstance(term, Compare)  # the look-up decides
                selected.update(
                    dict.fromkeys([str(named)] if is_exact else self._matching(attribute, term, [stored.data]))
                )
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

    def _would_match(self, attribute: Attribute, filter: Filter, element: Element) -> bool:
        return "value" in element and bool(self._matching(attribute, filter, [self._membership(element)]))

    def add(self, elements: Iterable[Mapping[str, Any]]) -> MembershipChanges:
        """Add the elements that are not members yet."""
        wanted: dict[str, Document] = {}
        for element in elements:
            if element.get("value"):
                wanted.setdefault(element["value"], self._membership(element))
        for part in parts(wanted.values()):
            self._writer.prefetch(MEMBERSHIP, [membership["id"] for membership in part])
            new = [membership for membership in part if self._writer.get(MEMBERSHIP, membership["id"]) is None]
            self._writer.insert(MEMBERSHIP, *new)
            for membership in new:
                self.changes.note_joined(membership["member"])
        return self.changes

    def _membership(self, element: Mapping[str, Any]) -> Document:
        member, type = element["value"], {"type": element["type"]} if element.get("type") else {}
        return {"id": membership_id(self._id, member), "group": self._id, "member": member, **type}

    def remove(self, member: str) -> None:
        stored = self._writer.get(MEMBERSHIP, membership_id(self._id, member))
        if stored:
            self._remove([stored.data])

    def _remove(self, memberships: list[Document]) -> None:
        self._writer.delete(MEMBERSHIP, *(membership["id"] for membership in memberships))
        for membership in memberships:
            self.changes.note_left(membership["member"])


def _check_unchanged(operation: Operation, selected: list[str]) -> None:
    """Raise Mutability if the operation would change a member's `value`.

    Its other sub-attributes are derived from the member and ignored in requests.
    """
    sub, value = operation.target.sub, operation.value
    wanted = value.get("value") if isinstance(value, dict) else value if sub and sub.name == "value" else None
    if operation.op == "remove" or (wanted is not None and selected != [wanted]):
        raise Mutability(f"{operation.target} is immutable: add and remove members as a whole.")


def stored_element(membership: Document) -> Element:
    """Return the element of `members` without what is derived from the member."""
    type = {"type": membership["type"]} if "type" in membership else {}
    return {"value": membership["member"], **type}


def membership_id(group: str, member: str) -> str:
    """Return the membership's id. It is unique because a group's id has no dot."""
    return f"{group}.{member}"
