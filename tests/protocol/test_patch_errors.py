"""What PATCH refuses, by which scimType, changing nothing (RFC 7644 sections 3.5.2 and 3.12)."""

import pytest

from tests.support.urns import PATCH_OP, USER


@pytest.fixture
def user(scim):
    return scim.create_user(
        userName="liv@contoso.example",
        name={"givenName": "Liv"},
        emails=[{"type": "work", "value": "liv@contoso.example"}],
    )


REFUSED = [
    # a target that is not there, or not named
    ("noTarget", {"op": "remove"}),
    ("noTarget", {"op": "remove", "value": {"title": "x"}}),
    ("noTarget", {"op": "replace", "path": 'emails[type sw "ho"].value', "value": "x"}),
    ("noTarget", {"op": "add", "path": 'emails[type eq "home" or type eq "other"].value', "value": "x"}),
    ("noTarget", {"op": "replace", "path": 'emails[not (type eq "work")]', "value": {"value": "x"}}),
    ("noTarget", {"op": "replace", "path": 'emails[type ne "work"].value', "value": "x"}),
    # attributes that are read-only, or required and to be removed
    ("mutability", {"op": "replace", "path": "id", "value": "x"}),
    ("mutability", {"op": "add", "path": "meta.created", "value": "2020-01-01T00:00:00Z"}),
    ("mutability", {"op": "replace", "path": "meta", "value": {"version": "x"}}),
    ("mutability", {"op": "remove", "path": "meta"}),
    ("mutability", {"op": "remove", "path": "id"}),
    ("mutability", {"op": "add", "path": "groups", "value": [{"value": "admins"}]}),
    ("mutability", {"op": "remove", "path": "userName"}),
    # paths that are malformed or name nothing
    ("invalidPath", {"op": "add", "path": ".title", "value": "x"}),
    ("invalidPath", {"op": "add", "path": "name..givenName", "value": "x"}),
    ("invalidPath", {"op": "add", "path": "name.givenName.first", "value": "x"}),
    ("invalidPath", {"op": "add", "path": 'emails[type eq "work"]value', "value": "x"}),
    ("invalidPath", {"op": "add", "path": 'emails[type eq "work"].', "value": "x"}),
    ("invalidPath", {"op": "add", "path": 'emails[type eq "work"].value.more', "value": "x"}),
    ("invalidPath", {"op": "add", "path": "two words", "value": "x"}),
    ("invalidPath", {"op": "add", "path": "shoeSize", "value": "x"}),
    ("invalidPath", {"op": "remove", "path": "name.shoeSize"}),
    ("invalidPath", {"op": "add", "path": 'emails[type eq "work"].shoeSize', "value": "x"}),
    # values that do not fit their attribute
    ("invalidValue", {"op": "add", "path": "active", "value": "maybe"}),
    ("invalidValue", {"op": "add", "path": "active", "value": 2}),
    ("invalidValue", {"op": "add", "path": "title", "value": {"a": "b"}}),
    ("invalidValue", {"op": "replace", "path": "title", "value": 5}),
    ("invalidValue", {"op": "replace", "path": "title", "value": True}),
    ("invalidValue", {"op": "replace", "path": "name", "value": "Liv"}),
    ("invalidValue", {"op": "add", "path": "emails", "value": [{"value": 5}]}),
    ("invalidValue", {"op": "add", "path": "emails", "value": [["a"]]}),
    ("invalidValue", {"op": "add", "path": 'emails[type eq "work"].primary', "value": "maybe"}),
    ("invalidValue", {"op": "add", "value": {"active": "maybe"}}),
    ("invalidValue", {"op": "add", "value": "title"}),
    ("invalidValue", {"op": "replace", "value": ["title"]}),
    # operations that are none
    ("invalidSyntax", {"op": "move", "path": "title"}),
    ("invalidSyntax", {"op": "", "path": "title", "value": "x"}),
    ("invalidSyntax", {"op": None, "path": "title", "value": "x"}),
    ("invalidSyntax", {"op": ["add"], "path": "title", "value": "x"}),
    ("invalidSyntax", {"path": "title", "value": "x"}),
    ("invalidSyntax", "add"),
    ("invalidSyntax", None),
]


@pytest.mark.parametrize(("scim_type", "operation"), REFUSED)
def test_refused_and_nothing_changed(scim, user, scim_type, operation):
    path = f"/Users/{user['id']}"
    before = {"op": "add", "path": "title", "value": "Lost"}
    answer = scim.patch_op(path, before, operation)
    assert (answer.status, answer.body.get("scimType")) == (400, scim_type)
    assert scim.read(path) == user


@pytest.mark.parametrize(
    "path",
    [
        'emails[type like "work"]',
        'emails[type eq "work"',
        'emails[type eq "work" and]',
        "emails[type eq]",
        "emails[type]",
        "emails[0].value",
        "emails[]",
        "title[",
    ],
)
def test_broken_filter_in_a_path_is_refused(scim, user, path):
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "remove", "path": path})
    assert answer.status == 400
    assert answer.body["scimType"] in {"invalidPath", "invalidFilter"}


@pytest.mark.parametrize("op", ["add", "replace"])
def test_operation_that_needs_a_value_and_has_none(scim, user, op):
    for operation in ({"op": op, "path": "title"}, {"op": op}):
        answer = scim.patch_op(f"/Users/{user['id']}", operation)
        assert answer.status == 400
        assert answer.body["scimType"] in {"invalidValue", "invalidSyntax"}


@pytest.mark.parametrize("path", [5, ["title"], {"a": "b"}, True])
def test_path_that_is_no_string(scim, user, path):
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "add", "path": path, "value": "x"})
    assert answer.status == 400
    assert answer.body["scimType"] in {"invalidPath", "invalidSyntax"}
    assert scim.read(f"/Users/{user['id']}") == user


@pytest.mark.parametrize(
    "body",
    [
        {"schemas": [PATCH_OP]},
        {"schemas": [PATCH_OP], "Operations": None},
        {"schemas": [PATCH_OP], "Operations": "add"},
        {"schemas": [PATCH_OP], "Operations": {"op": "add", "path": "title", "value": "x"}},
        {"schemas": [USER], "userName": "x"},
    ],
)
def test_message_without_operations_is_invalid_syntax(scim, user, body):
    answer = scim.patch(f"/Users/{user['id']}", body)
    assert (answer.status, answer.body["scimType"]) == (400, "invalidSyntax")
    assert scim.read(f"/Users/{user['id']}") == user


def test_taken_user_name_is_409(scim, user):
    scim.create_user(userName="max@contoso.example")
    before = {"op": "add", "path": "title", "value": "Lost"}
    taken = {"op": "replace", "path": "userName", "value": "MAX@contoso.example"}
    answer = scim.patch_op(f"/Users/{user['id']}", before, taken)
    assert (answer.status, answer.body["scimType"]) == (409, "uniqueness")
    assert scim.read(f"/Users/{user['id']}") == user


def test_own_user_name_in_another_case_is_free(scim, user):
    operation = {"op": "replace", "path": "userName", "value": "LIV@contoso.example"}
    assert scim.patch_op(f"/Users/{user['id']}", operation).body["userName"] == "LIV@contoso.example"


def test_group_name_is_required(scim):
    group = scim.create_group()
    path = f"/Groups/{group['id']}"
    answer = scim.patch_op(path, {"op": "remove", "path": "displayName"})
    assert (answer.status, answer.body["scimType"]) == (400, "mutability")
    assert scim.patch_op(path, {"op": "replace", "path": "displayName", "value": ""}).status == 400
    assert scim.read(path) == group


def test_refused_group_patch_keeps_its_members(scim):
    user = scim.create_user()
    group = scim.create_group(members=[{"value": user["id"]}])
    path = f"/Groups/{group['id']}"
    answer = scim.patch_op(
        path,
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": [{"value": "other"}]},
        {"op": "add", "path": "shoeSize", "value": "x"},
    )
    assert answer.status == 400
    assert scim.read(path) == group


@pytest.mark.parametrize(("sub", "value"), [(".value", "other"), ("", {"value": "other"})])
@pytest.mark.parametrize("op", ["replace", "add"])
def test_value_of_a_member_is_immutable(scim, op, sub, value):
    user = scim.create_user()
    group = scim.create_group(members=[{"value": user["id"]}])
    path = f'members[value eq "{user["id"]}"]{sub}'
    answer = scim.patch_op(f"/Groups/{group['id']}", {"op": op, "path": path, "value": value})
    assert (answer.status, answer.body and answer.body["scimType"]) == (400, "mutability")
    assert scim.read(f"/Groups/{group['id']}") == group


def test_unknown_resource_is_404(scim):
    assert scim.patch_op("/Users/none", {"op": "add", "path": "title", "value": "x"}).status == 404
