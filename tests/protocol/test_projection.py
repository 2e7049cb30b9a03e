"""attributes and excludedAttributes (RFC 7644 sections 3.4.2.5 and 3.9)."""

import pytest

from tests.support.urns import ENT, USER

BODY = {
    "schemas": [USER, ENT],
    "userName": "una@contoso.example",
    "title": "Cook",
    "name": {"givenName": "Una", "familyName": "Vik"},
    "emails": [{"type": "work", "value": "una@contoso.example"}],
    ENT: {"department": "Dock", "division": "Sea", "manager": {"value": "boss"}},
}


@pytest.fixture(scope="module")
def una(make_scim):
    scim = make_scim()
    return scim, f"/Users/{scim.create_user(**BODY)['id']}"


ONLY = [
    ("userName", {"userName": "una@contoso.example"}),
    ("USERNAME", {"userName": "una@contoso.example"}),
    ("userName,title", {"userName": "una@contoso.example", "title": "Cook"}),
    ("userName, title", {"userName": "una@contoso.example", "title": "Cook"}),
    ("id", {}),
    ("nickName", {}),
    ("nothingOfTheKind", {}),
    ("name", {"name": BODY["name"]}),
    ("name.givenName", {"name": {"givenName": "Una"}}),
    ("name.givenName,name.familyName", {"name": BODY["name"]}),
    ("emails.value", {"emails": [{"value": "una@contoso.example"}]}),
    ("emails.display", {}),
    (f"{USER}:userName", {"userName": "una@contoso.example"}),
    (f"{USER}:name.givenName", {"name": {"givenName": "Una"}}),
    (f"{ENT}:department", {ENT: {"department": "Dock"}}),
    (f"{ENT.upper()}:DEPARTMENT", {ENT: {"department": "Dock"}}),
    (f"{ENT}:manager.value", {ENT: {"manager": {"value": "boss"}}}),
    (ENT, {ENT: BODY[ENT]}),
    ("password", {}),
]


@pytest.mark.parametrize(("attributes", "expected"), ONLY)
def test_attributes(una, attributes, expected):
    scim, path = una
    found = scim.query(path, attributes=attributes).body
    assert found.pop("id") == path.rpartition("/")[2]
    found.pop("schemas", None)
    assert found == expected


def test_attributes_of_meta(una):
    scim, path = una
    assert set(scim.query(path, attributes="meta.version").body["meta"]) == {"version"}
    assert "meta" in scim.query(path, attributes="meta").body


WITHOUT = [
    ("title", lambda body: body.pop("title")),
    ("TITLE,emails", lambda body: (body.pop("title"), body.pop("emails"))),
    ("name.givenName", lambda body: body["name"].pop("givenName")),
    ("emails.type", lambda body: body["emails"][0].pop("type")),
    (f"{USER}:title", lambda body: body.pop("title")),
    (f"{ENT}:department", lambda body: body[ENT].pop("department")),
    (f"{ENT}:manager", lambda body: body[ENT].pop("manager")),
    ("meta", lambda body: body.pop("meta")),
    ("id", lambda body: None),
    ("nothingOfTheKind", lambda body: None),
    ("", lambda body: None),
]


@pytest.mark.parametrize(("excluded", "leave_out"), WITHOUT)
def test_excluded_attributes(una, excluded, leave_out):
    scim, path = una
    expected = scim.read(path)
    leave_out(expected)
    assert scim.query(path, excludedAttributes=excluded).body == expected


def test_a_whole_extension_is_excluded_by_its_urn(una):
    scim, path = una
    found = scim.query(path, excludedAttributes=ENT).body
    assert ENT not in found
    assert found["title"] == "Cook"


@pytest.mark.parametrize("query", ["attributes=", "attributes", "attributes=&excludedAttributes="])
def test_empty_attributes_are_none(una, query):
    scim, path = una
    assert scim.read(f"{path}?{query}") == scim.read(path)


def test_lists_and_searches_are_projected(una):
    scim, path = una
    search = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}
    for body in (
        scim.query("/Users", attributes="name.givenName").body,
        scim.post("/Users/.search", {**search, "attributes": ["name.givenName"]}).body,
        scim.post("/.search", {**search, "attributes": ["name.givenName"], "filter": "userName pr"}).body,
    ):
        (found,) = body["Resources"]
        assert found.pop("schemas", [USER])
        assert found == {"id": path.rpartition("/")[2], "name": {"givenName": "Una"}}
    found = scim.post("/Users/.search", {**search, "excludedAttributes": ["emails", "meta"]}).body["Resources"][0]
    assert not {"emails", "meta"} & set(found)


def test_writes_are_projected(scim):
    created = scim.post("/Users?attributes=title", BODY)
    assert created.status == 201
    path = f"/Users/{created.body['id']}"
    put = scim.put(f"{path}?excludedAttributes=emails,name", BODY)
    patched = scim.patch_op(f"{path}?attributes=title", {"op": "add", "path": "title", "value": "Mate"})
    for answer in (created, patched):
        assert set(answer.body) - {"schemas"} == {"id", "title"}
    assert not {"emails", "name"} & set(put.body)
    assert put.body["userName"] == BODY["userName"]


def test_members_are_projected(scim):
    group = scim.create_group(members=[{"value": scim.create_user(displayName="U")["id"]}])
    found = scim.read(f"/Groups/{group['id']}?attributes=members.value")
    assert [set(member) for member in found["members"]] == [{"value"}]
    found = scim.read(f"/Groups/{group['id']}?excludedAttributes=members.display,members.$ref")
    assert [set(member) & {"display", "$ref"} for member in found["members"]] == [set()]


def test_attributes_and_excluded_attributes_exclude_each_other(una):
    scim, path = una
    assert scim.get(f"{path}?attributes=title&excludedAttributes=name").status == 400
