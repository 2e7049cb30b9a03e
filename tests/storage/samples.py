"""The documents and indexes that the tests of the stores use."""

from storage.base import Index


def optional(*names):
    return lambda document: [document[name].casefold() for name in names if document.get(name)]


INDEXES = [
    Index("User", "userName", optional("userName"), unique=True, member="userName"),
    Index("User", "title", optional("title"), member="title"),
    Index("User", "weight", lambda document: [repr(document.get("weight"))], member="weight"),
    Index("Group", "displayName", optional("displayName"), unique=True),
    Index("Membership", "group", lambda document: [document["group"]]),
    Index("Membership", "member", lambda document: [document["member"]]),
]


def user(number, **rest):
    return {"id": f"u{number}", "userName": f"User{number}@example.com", **rest}


def membership(group, member):
    return {"id": f"{group}.{member}", "group": group, "member": member}
