"""The roles of users that follow from membership in groups (`[[roles]]`)."""

from collections.abc import Iterable, Iterator

from scim.directory.context import ReadContext
from scim.protocol.leniency import Element
from scim.schema.attributes import fold
from scim.schema.resource_types import GROUP, ResourceType, Target
from storage.base import Document

USER = "User"
FROM_GROUP = "group"
"""The `type` of derived roles. Requests cannot write roles of this type: a role must not outlive the membership."""

INDEX = "roles.value"
_CORE = "urn:ietf:params:scim:schemas:core:2.0"
INDEXED = (f"{_CORE}:Group:displayName", f"{_CORE}:Group:externalId", f"{_CORE}:User:{INDEX}")
"""The attributes by which users with a role are found."""


def is_roles(type: ResourceType, target: Target) -> bool:
    """Return whether this is the attribute `roles` of users."""
    return type.name == USER and target.extension is None and target.leaf.name == "roles"


def of_user(context: ReadContext, user: Document) -> list[Element]:
    """Return the roles of a stored user: the stored ones, then those of direct and indirect groups."""
    groups = context.groups_of(user["id"])
    given = sorted({role for group in groups for role in context.roles_given_by(group)})
    return [*stored(user.get("roles", ())), *({"value": role, "type": FROM_GROUP} for role in given)]


def completed(context: ReadContext, type: ResourceType, document: Document) -> Document:
    """Return a stored resource; if there is `[[roles]]`, a user has all roles."""
    if type.name != USER or not context.registry.roles:
        return document
    found = of_user(context, document)
    rest = {name: value for name, value in document.items() if name != "roles"}
    return {**rest, "roles": found} if found else rest


def stored(elements: Iterable[Element]) -> list[Element]:
    """Return the elements that are not derived."""
    return [one for one in elements if fold(str(one.get("type", ""))) != FROM_GROUP]


def groups_with(context: ReadContext, role: str) -> Iterator[str]:
    """Yield the ids of the groups whose direct members have a role."""
    for index, key in context.registry.roles.groups_with(role):
        yield from (group.data["id"] for group in context.reader.lookup(GROUP, index, key))
