"""Documents for the benchmarks: users of about 1 KB of JSON as Entra provisions them, and memberships."""

from collections.abc import Iterator
from random import Random
from uuid import UUID

from storage.base import Document, Index
from storage.engine.encoding import dump
from storage.engine.snapshot import Row

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUPS = (10, 1_000, 50_000)


def user(number: int) -> Document:
    """Return the user with this number."""
    chance = Random(number)
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "id": _uuid(chance),
        "externalId": _uuid(chance),
        "userName": f"user{number}@contoso.onmicrosoft.com",
        "displayName": f"Given{number} Family{number}",
        "active": True,
        "name": {
            "givenName": f"Given{number}",
            "familyName": f"Family{number}",
            "formatted": f"Given{number} Family{number}",
        },
        "emails": [{"value": f"user{number}@contoso.com", "type": "work", "primary": True}],
        "phoneNumbers": [
            {"value": f"+1 555 {number:07}", "type": "work"},
            {"value": f"+1 556 {number:07}", "type": "mobile"},
        ],
        "addresses": [
            {
                "type": "work",
                "streetAddress": f"{number} Main Street",
                "locality": "Redmond",
                "region": "WA",
                "postalCode": "98052",
                "country": "US",
            }
        ],
        "title": "Engineer",
        "preferredLanguage": "en-US",
        ENTERPRISE: {
            "employeeNumber": str(number),
            "department": "Sales",
            "manager": {"value": _uuid(chance)},
        },
        "meta": {
            "resourceType": "User",
            "created": "2026-01-01T00:00:00.000Z",
            "lastModified": "2026-01-01T00:00:00.000Z",
            "version": f'W/"{number:x}"',
        },
    }


def group(size: int) -> Document:
    """Return the group of this many users."""
    meta = {"created": "2026-01-01T00:00:00.000Z", "lastModified": "2026-01-01T00:00:00.000Z", "version": 'W/"1"'}
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": f"group{size}",
        "displayName": f"Group of {size}",
        "meta": {"resourceType": "Group", **meta},
    }


def membership(group: str, member: str) -> Document:
    """Return the membership of a user in a group."""
    return {"id": f"{group}.{member}", "group": group, "member": member}


INDEXES = [
    Index("User", "userName", lambda document: [document["userName"].casefold()], unique=True),
    Index("User", "externalId", lambda document: [document["externalId"]]),
    Index("User", "displayName", lambda document: [document["displayName"].casefold()]),
    Index("User", "emails.value", lambda document: [email["value"].casefold() for email in document["emails"]]),
    Index("User", "manager", lambda document: [document[ENTERPRISE]["manager"]["value"]]),
    Index("Membership", "group", lambda document: [document["group"]]),
    Index("Membership", "member", lambda document: [document["member"]]),
]


def users(number: int) -> Iterator[Row]:
    """Yield that many users."""
    return (Row("User", place, dump(user(place - 1)), 0) for place in range(1, number + 1))


def members(users: int) -> Iterator[Row]:
    """Yield the groups and their memberships, with at most as many members as there are users."""
    for number, size in enumerate(GROUPS, 1):
        yield Row("Group", number, dump(group(size)), 0)
    position = 0
    for size in GROUPS:
        for number in range(min(size, users)):
            position += 1
            yield Row("Membership", position, dump(membership(f"group{size}", user_id(number))), 0)


def user_id(number: int) -> str:
    """Return the id of the user with this number."""
    return _uuid(Random(number))


def _uuid(chance: Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))
