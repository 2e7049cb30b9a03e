"""Eight users, named by their first letters, with values of every type for the filters of the tests."""

from tests.support.urns import ENT

SHIP = "urn:example:params:scim:schemas:extension:ship:2.0:User"

SHIP_SCHEMA = {
    "id": SHIP,
    "name": "ShipUser",
    "extends": "User",
    "attributes": [
        {"name": "level", "type": "integer"},
        {"name": "ratio", "type": "decimal"},
        {"name": "since", "type": "dateTime"},
        {"name": "vip", "type": "boolean"},
        {"name": "code", "type": "string", "caseExact": True},
        {"name": "badge", "type": "binary"},
        {"name": "tags", "type": "string", "multiValued": True},
    ],
}

PEOPLE = [
    {
        "userName": "amy@contoso.example",
        "title": "Pilot",
        "userType": "Employee",
        "active": True,
        "name": {"givenName": "Amy", "familyName": "Berg"},
        "displayName": "Amy B",
        "emails": [
            {"type": "work", "value": "amy@contoso.example", "primary": True},
            {"type": "home", "value": "amy@home.example"},
        ],
        SHIP: {"level": 1, "ratio": 0.5, "since": "2020-01-01T00:00:00Z", "vip": True, "code": "Abc"},
    },
    {
        "userName": "Bob@contoso.example",
        "title": "pilot",
        "userType": "Intern",
        "active": False,
        "emails": [{"type": "work", "value": "bob@fabrikam.example"}],
        SHIP: {"level": 2, "ratio": 2.5, "since": "2020-01-01T01:00:00+01:00", "vip": False, "code": "abc"},
    },
    {
        "userName": "cat@contoso.example",
        "userType": "Employee",
        "emails": [{"type": "home", "value": "cat@contoso.example"}],
        SHIP: {"level": 10, "badge": "AAEC", "tags": ["red", "Blue", "RED"]},
    },
    {
        "userName": "dan@contoso.example",
        "title": "Captain",
        "externalId": "dan-1",
        SHIP: {"level": -3, "since": "2021-06-01T12:30:00.250Z"},
    },
    {
        "userName": "eve@contoso.example",
        "title": "Mate",
        "externalId": "DAN-1",
        "emails": [{"type": "other", "value": "eve@fabrikam.example"}],
    },
    {
        "userName": "fay@contoso.example",
        "displayName": 'Åse "the \\ line"',
        "name": {"familyName": "O'Malley"},
    },
    {
        "userName": "gus@contoso.example",
        "active": True,
        "name": {"givenName": "Gus", "familyName": None},
        ENT: {"department": "Dock", "manager": {"value": "AMY"}},
    },
    {
        "userName": "hal@contoso.example",
        "phoneNumbers": [{"type": "work", "value": "1"}, {"type": "home", "value": "2"}],
        ENT: {"employeeNumber": "7", "department": "dockyard"},
    },
]


INDEXED = [
    *("externalId", "title", "userType", "active", "displayName", "name.familyName"),
    *("emails.value", "emails.type", "emails.primary", "phoneNumbers.value"),
    *(f"{SHIP}:{name}" for name in ("level", "ratio", "since", "vip", "code", "badge", "tags")),
    *(f"{ENT}:{name}" for name in ("department", "employeeNumber", "manager.value")),
]
