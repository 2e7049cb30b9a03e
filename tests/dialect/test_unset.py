"""Values that are emptied or removed: both dialects have several ways to say so."""

import pytest

from tests.support.urns import ENT, USER

WORK = 'emails[type eq "work"]'
UNSET = ["title", "name.givenName", f"{WORK}.value", f"{ENT}:department"]


@pytest.mark.parametrize("op", ["replace", "Replace", "Add"])
def test_legacy_empty_string_then_null_unset(patch, op):
    for nothing in ("", None):
        changed = patch(*({"op": op, "path": path, "value": nothing} for path in UNSET))
        assert "title" not in changed
        assert changed["name"] == {"familyName": "Berg", "formatted": "Lena Berg"}
        assert "emails" not in changed
        assert changed[ENT] == {"employeeNumber": "11"}


def test_flag_empty_string_then_null_unset(patch):
    for nothing in ("", None):
        values = dict.fromkeys(["title", "name.givenName", f"{ENT}:department"], nothing)
        changed = patch(
            {"op": "replace", "path": f"{WORK}.value", "value": nothing}, {"op": "replace", "value": values}
        )
        assert "title" not in changed
        assert changed["name"] == {"familyName": "Berg", "formatted": "Lena Berg"}
        assert "emails" not in changed
        assert changed[ENT] == {"employeeNumber": "11"}


def test_nothing_added_to_what_is_read_only_is_no_failure(patch):
    changed = patch({"op": "add", "value": {"groups": None, "schemas": None, "emails": None, "title": "Lead"}})
    assert changed["title"] == "Lead"
    assert changed["emails"]


def test_unsetting_all_of_an_extension_takes_its_schema_away(patch):
    names = (f"{ENT}:department", f"{ENT}:employeeNumber")
    changed = patch(*({"op": "replace", "path": path, "value": ""} for path in names))
    assert ENT not in changed
    assert changed["schemas"] == [USER]


@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize("keys", [("path", "value"), ("value",)])
def test_user_name_cannot_be_unset(scim, user, nothing, keys):
    values = ("userName", nothing) if len(keys) == 2 else ({"userName": nothing},)
    path, operation = f"/Users/{user['id']}", {"op": "replace", **dict(zip(keys, values, strict=True))}
    answer = scim.patch_op(path, {"op": "replace", "path": "title", "value": "Lost"}, operation)
    assert answer.status == 400
    assert answer.body["scimType"] in {"invalidValue", "mutability"}
    assert scim.read(path) == user


@pytest.mark.parametrize("value", [None, "", [], [None]])
def test_adding_nothing_takes_no_role_away(scim, value):
    path = f"/Users/{scim.create_user(roles=[{'value': 'Admin'}])['id']}"
    assert scim.patch_op(path, {"op": "Add", "path": "roles", "value": value}).body["roles"] == [{"value": "Admin"}]


@pytest.mark.parametrize("value", [None, ""])
def test_adding_nothing_to_a_part_of_all_elements_takes_nothing_away(scim, value):
    emails = [{"type": "work", "value": "a@contoso.example"}, {"type": "home", "value": "b@contoso.example"}]
    path = f"/Users/{scim.create_user(emails=emails)['id']}"
    assert scim.patch_op(path, {"op": "add", "path": "emails.value", "value": value}).body["emails"] == emails


def test_adding_nothing_to_a_part_of_a_selected_element_clears_it(scim):
    path = f"/Users/{scim.create_user(phoneNumbers=[{'type': 'work', 'value': '1', 'display': 'Desk'}])['id']}"
    operation = {"op": "Add", "path": 'phoneNumbers[type eq "work"].display', "value": None}
    assert scim.patch_op(path, operation).body["phoneNumbers"] == [{"type": "work", "value": "1"}]


def test_a_single_value_is_removed_whatever_is_listed(scim):
    path = f"/Users/{scim.create_user(title='Cook')['id']}"
    assert "title" not in scim.patch_op(path, {"op": "Remove", "path": "title", "value": "Captain"}).body


def test_adding_nothing_to_what_is_read_only_is_refused_like_anything(scim):
    path = f"/Users/{scim.create_user()['id']}"
    answer = scim.patch_op(path, {"op": "add", "path": "groups", "value": None})
    assert (answer.status, answer.body["scimType"]) == (400, "mutability")


def test_as_many_elements_as_there_may_be_are_removed_by_listing_them(scim):
    roles = [{"value": str(number)} for number in range(1000)]
    path = f"/Users/{scim.create_user(roles=roles)['id']}"
    assert scim.patch_op(path, {"op": "Remove", "path": "roles", "value": roles[:999]}).body["roles"] == roles[999:]


def test_long_elements_are_removed_by_listing_them(scim):
    photos = [{"type": type, "value": "https://a.example/" + "x" * 9000} for type in ("photo", "thumbnail")]
    path = f"/Users/{scim.create_user(photos=photos)['id']}"
    assert "photos" not in scim.patch_op(path, {"op": "Remove", "path": "photos", "value": photos}).body
