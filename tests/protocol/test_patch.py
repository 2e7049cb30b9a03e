"""PATCH (RFC 7644 section 3.5.2): what each operation does at each form of path."""

import pytest

from tests.support.urns import ENT, USER

WORK = {"type": "work", "value": "1", "primary": True}
HOME = {"type": "home", "value": "2"}
FAX = {"type": "fax", "value": "3"}


@pytest.fixture
def user(scim):
    return scim.create_user(
        userName="kim@contoso.example",
        title="Mate",
        active=True,
        name={"givenName": "Kim", "familyName": "Vik"},
        phoneNumbers=[WORK, HOME],
        **{ENT: {"department": "Dock", "manager": {"value": "boss"}}},
    )


@pytest.fixture
def patch(scim, user):
    """Send operations, and return the user as the answer and as a later GET show it."""

    def send(*operations):
        path = f"/Users/{user['id']}"
        answer = scim.patch_op(path, *operations)
        assert answer.status == 200, answer.body
        assert scim.read(path) == answer.body
        return answer.body

    return send


ADD = [
    ("title", "Pilot", {"title": "Pilot"}),
    ("nickName", "K", {"nickName": "K"}),
    ("name", {"middleName": "M"}, {"name": {"givenName": "Kim", "familyName": "Vik", "middleName": "M"}}),
    ("name.givenName", "Kit", {"name": {"givenName": "Kit", "familyName": "Vik"}}),
    ("phoneNumbers", [FAX], {"phoneNumbers": [WORK, HOME, FAX]}),
    ("phoneNumbers", FAX, {"phoneNumbers": [WORK, HOME, FAX]}),
    ("phoneNumbers", [HOME, FAX], {"phoneNumbers": [WORK, HOME, FAX]}),
    ('phoneNumbers[value eq "2"].display', "Two", {"phoneNumbers": [WORK, {**HOME, "display": "Two"}]}),
    ('phoneNumbers[value eq "2"]', {"display": "Two"}, {"phoneNumbers": [WORK, {**HOME, "display": "Two"}]}),
    ("emails", [{"value": "k@x.example"}], {"emails": [{"value": "k@x.example"}]}),
    (f"{USER}:title", "Pilot", {"title": "Pilot"}),
    (f"{USER}:name.givenName", "Kit", {"name": {"givenName": "Kit", "familyName": "Vik"}}),
    (
        f"{ENT}:division",
        "Sea",
        {ENT: {"department": "Dock", "manager": {"value": "boss"}, "division": "Sea"}},
    ),
    (f"{ENT}:manager.value", "other", {ENT: {"department": "Dock", "manager": {"value": "other"}}}),
    (
        ENT,
        {"division": "Sea"},
        {ENT: {"department": "Dock", "manager": {"value": "boss"}, "division": "Sea"}},
    ),
    (None, {"title": "Pilot", "nickname": "K"}, {"title": "Pilot", "nickName": "K"}),
    (None, {"phoneNumbers": [FAX]}, {"phoneNumbers": [WORK, HOME, FAX]}),
    (None, {"name": {"givenName": "Kit"}}, {"name": {"givenName": "Kit", "familyName": "Vik"}}),
]


@pytest.mark.parametrize(("path", "value", "expected"), ADD)
def test_add(patch, path, value, expected):
    changed = patch({"op": "add", "value": value, **({"path": path} if path else {})})
    assert {name: changed.get(name) for name in expected} == expected


REPLACE = [
    ("title", "Pilot", {"title": "Pilot"}),
    ("nickName", "K", {"nickName": "K"}),
    ("name", {"givenName": "Kit"}, {"name": {"givenName": "Kit", "familyName": "Vik"}}),
    ("name.familyName", "Dal", {"name": {"givenName": "Kim", "familyName": "Dal"}}),
    ("phoneNumbers", [FAX], {"phoneNumbers": [FAX]}),
    ("phoneNumbers", [], {"phoneNumbers": None}),
    ('phoneNumbers[type eq "home"].value', "22", {"phoneNumbers": [WORK, {**HOME, "value": "22"}]}),
    (
        "phoneNumbers[value pr].display",
        "All",
        {"phoneNumbers": [{**WORK, "display": "All"}, {**HOME, "display": "All"}]},
    ),
    (f"{ENT}:department", "Quay", {ENT: {"department": "Quay", "manager": {"value": "boss"}}}),
    (ENT, {"department": "Quay"}, {ENT: {"department": "Quay", "manager": {"value": "boss"}}}),
    (None, {"title": "Pilot", "phoneNumbers": [FAX]}, {"title": "Pilot", "phoneNumbers": [FAX]}),
    (
        None,
        {"active": False, "name": {"givenName": "Kit"}},
        {"active": False, "name": {"givenName": "Kit", "familyName": "Vik"}},
    ),
]


@pytest.mark.parametrize(("path", "value", "expected"), REPLACE)
def test_replace(patch, path, value, expected):
    changed = patch({"op": "replace", "value": value, **({"path": path} if path else {})})
    assert {name: changed.get(name) for name in expected} == expected


REMOVE = [
    ("title", {"title": None}),
    ("TITLE", {"title": None}),
    ("nickName", {"nickName": None}),
    ("name", {"name": None}),
    ("name.givenName", {"name": {"familyName": "Vik"}}),
    ("phoneNumbers", {"phoneNumbers": None}),
    ('phoneNumbers[type eq "home"]', {"phoneNumbers": [WORK]}),
    ('phoneNumbers[type eq "home" and value ew "2"]', {"phoneNumbers": [WORK]}),
    ('phoneNumbers[type eq "home" or type eq "work"]', {"phoneNumbers": None}),
    ("phoneNumbers[value pr]", {"phoneNumbers": None}),
    ('phoneNumbers[not (type eq "home")]', {"phoneNumbers": [HOME]}),
    ('phoneNumbers[type eq "work"].primary', {"phoneNumbers": [{"type": "work", "value": "1"}, HOME]}),
    (f"{USER}:title", {"title": None}),
    (f"{ENT}:department", {ENT: {"manager": {"value": "boss"}}}),
    (f"{ENT}:manager", {ENT: {"department": "Dock"}}),
    (ENT, {ENT: None, "schemas": [USER]}),
]


@pytest.mark.parametrize(("path", "expected"), REMOVE)
def test_remove(patch, path, expected):
    changed = patch({"op": "remove", "path": path})
    assert {name: changed.get(name) for name in expected} == expected


def test_operations_build_on_one_another(patch):
    changed = patch(
        {"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@x.example"}]},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "b@x.example"},
        {"op": "add", "path": 'emails[value eq "b@x.example"].display', "value": "B"},
        {"op": "remove", "path": "title"},
        {"op": "add", "path": "title", "value": "Again"},
    )
    assert changed["emails"] == [{"type": "work", "value": "b@x.example", "display": "B"}]
    assert changed["title"] == "Again"


def test_an_extension_attribute_brings_its_schema_and_its_removal_takes_it(scim):
    path = f"/Users/{scim.create_user()['id']}"
    operation = {"op": "add", "path": f"{ENT}:employeeNumber", "value": "9"}
    assert scim.patch_op(path, operation).body["schemas"] == [USER, ENT]
    operation = {"op": "remove", "path": f"{ENT}:employeeNumber"}
    assert scim.patch_op(path, operation).body["schemas"] == [USER]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "phoneNumbers", "value": [{**FAX, "primary": True}]},
        {"op": "add", "value": {"phoneNumbers": [{**FAX, "primary": True}]}},
        {"op": "replace", "path": 'phoneNumbers[type eq "home"].primary', "value": True},
        {"op": "replace", "path": 'phoneNumbers[type eq "home"]', "value": {"primary": True}},
    ],
)
def test_a_new_primary_takes_the_place_of_the_old(patch, operation):
    phones = patch(operation)["phoneNumbers"]
    assert [phone["type"] for phone in phones if phone.get("primary")] in (["fax"], ["home"])


@pytest.mark.parametrize("path", ["phoneNumbers", "emails"])
def test_two_primaries_are_never_kept(scim, user, path):
    value = [{"value": "1", "primary": True}, {"value": "2", "primary": True}]
    scim.patch_op(f"/Users/{user['id']}", {"op": "replace", "path": path, "value": value})
    kept = scim.read(f"/Users/{user['id']}").get(path, [])
    assert len([one for one in kept if one.get("primary")]) <= 1


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "title", "value": "Mate"},
        {"op": "replace", "path": "title", "value": "Mate"},
        {"op": "Replace", "path": "active", "value": "True"},
        {"op": "remove", "path": "nickName"},
        {"op": "remove", "path": "name.middleName"},
        {"op": "replace", "path": "nickName", "value": ""},
        {"op": "add", "path": "phoneNumbers", "value": [HOME]},
        {"op": "replace", "path": "phoneNumbers", "value": [WORK, HOME]},
        {"op": "replace", "path": 'phoneNumbers[type eq "work"].primary', "value": True},
        {"op": "add", "path": f"{ENT}:manager", "value": "boss"},
        {"op": "replace", "value": {"title": "Mate", "name": {"givenName": "Kim"}}},
        {"op": "add", "value": {}},
        {"op": "replace", "path": "password", "value": "hunter2"},
    ],
)
def test_where_nothing_changes_version_and_last_modified_stay(scim, user, operation):
    answer = scim.patch_op(f"/Users/{user['id']}", operation)
    assert answer.status == 200
    assert answer.body == user
    assert answer.headers["ETag"] == user["meta"]["version"]


def test_there_and_back_changes_nothing(scim, user):
    there = {"op": "replace", "path": "title", "value": "Cook"}
    back = {"op": "replace", "path": "title", "value": "Mate"}
    assert scim.patch_op(f"/Users/{user['id']}", there, back).body == user


def test_a_change_moves_version_and_last_modified(scim, user):
    changed = scim.patch_op(f"/Users/{user['id']}", {"op": "add", "path": "title", "value": "Cook"}).body
    assert changed["meta"]["version"] != user["meta"]["version"]
    assert changed["meta"]["lastModified"] >= user["meta"]["lastModified"]
    assert changed["meta"]["created"] == user["meta"]["created"]


def test_attributes_asks_for_200_with_what_it_names(scim, user):
    operation = {"op": "add", "path": "title", "value": "Cook"}
    answer = scim.patch_op(f"/Users/{user['id']}?attributes=title", operation)
    assert (answer.status, answer.body["title"]) == (200, "Cook")
    assert "userName" not in answer.body
    group = scim.create_group()
    operation = {"op": "add", "path": "description", "value": "Cook"}
    answer = scim.patch_op(f"/Groups/{group['id']}?attributes=description", operation)
    assert (answer.status, answer.body["description"]) == (200, "Cook")
    assert "displayName" not in answer.body
