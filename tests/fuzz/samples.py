"""Real requests that the fuzzer changes: the recorded requests of Entra, and one of every other kind."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.support.urns import ENT, GROUP, IDMELON, PATCH_OP, USER

BASE = "/api/scim/v2"
MESSAGES = "urn:ietf:params:scim:api:messages:2.0"
RECORDED = [Path(__file__).parents[1] / "dialect" / folder for folder in ("requests", "clients")]


@dataclass
class Request:
    """A request; `{user}`, `{group}` and the like in it stand for what the directory has. A dict is sent as JSON."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def is_panel(self) -> bool:
        return self.path.startswith("/panel")


FILTERS = [
    'userName eq "user3@contoso.onmicrosoft.com"',
    'externalId eq "x" or emails.value eq "user4@contoso.com"',
    'emails[type eq "work" and value co "@contoso.com"]',
    'groups.value eq "{group}" and active eq true',
    'meta.lastModified gt "2026-01-01T00:00:00Z"',
    f'{ENT}:manager.value eq "{{user}}"',
    f"{ENT}:employeeNumber pr",
    'not (title sw "Eng") and (displayName ew "1" or nickName pr)',
    'name.familyName ge "Family2" and phoneNumbers[type ne "mobile"]',
    "id eq {user}",
    'members.value eq "{user}"',
    "id pr",
    "groups pr",
    "not (title pr)",
    'groups.display eq "x"',
    'emails.value co "zz"',
]
OPERATIONS = [
    {"op": "Replace", "path": "displayName", "value": "New Name"},
    {"op": "Add", "path": 'emails[type eq "home"].value', "value": "home@contoso.com"},
    {"op": "Replace", "path": "active", "value": "False"},
    {"op": "Add", "path": f"{ENT}:manager", "value": "{user}"},
    {"op": "Add", "value": {"name.givenName": "Ann", f"{ENT}:department": "Dock", "title": "Captain"}},
    {"op": "Remove", "path": 'phoneNumbers[type eq "mobile" or value co "555"]'},
    {"op": "Add", "path": "emails", "value": [{"value": "a@x", "type": "other"}, {"value": "b@x", "primary": True}]},
    {"op": "Replace", "path": "roles", "value": [{"value": '{"id":"1","value":"admin"}'}]},
    {"op": "Remove", "path": f"{IDMELON}:extraAttribute1"},
    {"op": "Add", "path": "ims", "value": [{"value": str(n), "type": "t"} for n in range(20)]},
    {"op": "Add", "path": "emails", "value": [{"value": "same@contoso.com", "type": f"t{n}"} for n in range(860, 900)]},
]
MEMBER_OPERATIONS = [
    {"op": "Add", "path": "members", "value": [{"value": "{user}"}, {"value": "{group}"}]},
    {"op": "Remove", "path": 'members[value eq "{user}"]'},
    {"op": "Remove", "path": "members", "value": [{"value": "{user}"}]},
    {"op": "Replace", "path": "displayName", "value": "Crew"},
    {"op": "Remove", "path": 'members[display co "Given"]'},
]
NEW_USER = {
    "schemas": [USER, ENT, IDMELON],
    "userName": "new{number}@contoso.com",
    "externalId": "ext-{number}",
    "active": True,
    "displayName": "Ann Example",
    "name": {"givenName": "Ann", "familyName": "Example", "formatted": "Ann Example"},
    "emails": [{"value": "ann@contoso.com", "type": "work", "primary": True}],
    "addresses": [{"type": "work", "streetAddress": "1 Main Street", "country": "US"}],
    "roles": [{"value": "admin", "display": "Admin"}],
    "photos": [{"value": "https://contoso.com/a.png", "type": "photo"}],
    "x509Certificates": [{"value": "MIIB"}],
    "password": "Secret{number}",
    ENT: {"employeeNumber": "{number}", "manager": {"value": "{user}"}},
    IDMELON: {"immutable_id": "abc", "extraAttribute1": "B7"},
}
NEW_GROUP = {
    "schemas": [GROUP],
    "displayName": "Group {number}",
    "members": [{"value": "{user}"}, {"value": "{group}"}],
}
BULK = {
    "schemas": [f"{MESSAGES}:BulkRequest"],
    "failOnErrors": 3,
    "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "u", "data": NEW_USER},
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {**NEW_GROUP, "members": [{"value": "bulkId:u"}]}},
        {
            "method": "PATCH",
            "path": "/Groups/bulkId:g",
            "data": {
                "schemas": [PATCH_OP],
                "Operations": [{"op": "remove", "path": 'members[value eq "bulkId:u"]'}],
            },
        },
        {"method": "PUT", "path": "/Users/{user}", "data": NEW_USER, "version": 'W/"1"'},
        {"method": "DELETE", "path": "/Users/bulkId:u"},
    ],
}
PARAMETERS = [
    {"count": "10", "startIndex": "5"},
    {"attributes": f"userName,emails.value,{ENT}:manager", "count": "50"},
    {"excludedAttributes": "members,groups"},
    {"sortBy": "name.familyName", "sortOrder": "descending", "count": "20"},
    {"cursor": "", "count": "10"},
]
READ_FORMS = [
    "q=ann&state=disabled",
    "column=userName&column=title&choose=1",
    "page=2",
    "person=ann&result=failed",
    "since=2026-01-01T00:00&until=2027-01-01T00:00&action=created",
]
PAGES = [
    *(
        "/",
        "/integrations",
        "/integrations/entra",
        "/integrations/entra/guide",
        "/directory/Users",
        "/directory/Groups",
    ),
    *("/directory/Users/{user}", "/directory/Groups/{group}", "/directory/Users.csv", "/directory/Groups.json"),
    *(
        "/directory/Users/{user}/remove",
        "/log",
        "/log",
        "/log",
        "/log/unknown",
        "/log/{entry}",
        "/deprovisioning",
        "/attributes",
    ),
    *("/integrations/entra/tokens/new", "/sign-in", "/static/panel.css"),
]
FORMS = [
    ("/sign-in", {"password": "wrong", "username": "administrator"}),
    ("/integrations/entra/tokens/new", {"name": "t{number}", "replaces": "", "overlap": "day"}),
    ("/integrations/entra/tokens/revoke", {"name": "t{number}"}),
    ("/integrations/entra/switch", {"enabled": "yes"}),
    ("/integrations/entra/guide/schema", {"schema": "{}", "give": "page"}),
    ("/attributes", {"extraAttribute1": "Badge number", "extraAttribute2": ""}),
    ("/directory/Users/{user}/remove", {"confirm": "yes"}),
]
HEADERS = {
    "If-Match": 'W/"1"',
    "If-None-Match": 'W/"1", W/"2"',
    "Accept": "application/scim+json;q=0.9, */*",
    "Prefer": "return=minimal",
    "Accept-Encoding": "gzip, deflate",
    "Host": "scim.contoso.com",
    "client-request-id": "00000000-0000-4000-8000-000000000000",
    "Origin": "https://scimvalidator.microsoft.com",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-HTTP-Method-Override": "PATCH",
    "Cookie": "session=x",
    "Range": "bytes=0-10",
    "Expect": "100-continue",
    "Content-Encoding": "gzip",
}


@cache
def samples() -> list[tuple[int, list[Request]]]:
    """Return the requests by kind, and how often each kind is taken."""
    return [
        (20, list(_recorded())),
        (
            20,
            [
                Request("GET", f"{BASE}{at}", urlencode({"filter": one}))
                for one in FILTERS
                for at in ("/Users", "/Groups")
            ],
        ),
        (
            10,
            [
                Request("GET", f"{BASE}{at}", urlencode(one))
                for one in PARAMETERS
                for at in ("/Users", "/Users/{user}", "")
            ],
        ),
        (12, [_patch("/Users/{user}", one) for one in OPERATIONS]),
        (8, [_patch("/Groups/{group}", one) for one in MEMBER_OPERATIONS]),
        (12, [Request("POST", f"{BASE}/Users", body=NEW_USER), Request("POST", f"{BASE}/Groups", body=NEW_GROUP)]),
        (
            5,
            [
                Request("PUT", f"{BASE}/Users/{{user}}", body=NEW_USER),
                Request("PUT", f"{BASE}/Groups/{{group}}", body=NEW_GROUP),
            ],
        ),
        (5, [Request("POST", f"{BASE}/Bulk", body=BULK)]),
        (5, [_search(at, {"filter": one, "count": 5}) for one in FILTERS for at in ("", "/Users", "/Groups")]),
        (3, [Request("DELETE", f"{BASE}/Users/{{user}}"), Request("DELETE", f"{BASE}/Groups/{{group}}")]),
        (
            2,
            [
                Request("GET", BASE + at)
                for at in ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Me", "/Bulk")
            ],
        ),
        (
            1,
            [
                Request("GET", "/healthz"),
                Request("GET", "/"),
                Request(
                    "OPTIONS",
                    f"{BASE}/Users",
                    headers={"Origin": "https://a.example", "Access-Control-Request-Method": "PATCH"},
                ),
            ],
        ),
        (8, [Request("GET", f"/panel{page}", form) for page in PAGES for form in ("", *READ_FORMS)]),
        (1, [Request("POST", f"/panel{page}", body=urlencode(fields)) for page, fields in FORMS]),
    ]


def _patch(path: str, operation: Any) -> Request:
    return Request("PATCH", BASE + path, body={"schemas": [PATCH_OP], "Operations": [operation]})


def _search(at: str, parameters: dict[str, Any]) -> Request:
    return Request("POST", f"{BASE}{at}/.search", body={"schemas": [f"{MESSAGES}:SearchRequest"], **parameters})


def _recorded() -> list[Request]:
    found = []
    for path in sorted(path for folder in RECORDED for path in folder.glob("*.json")):
        for step in json.loads(path.read_text()):
            address, _, query = step["path"].partition("?")
            found.append(Request(step["method"], BASE + quote(address, safe="/{}:"), query, body=step.get("body")))
    return found
