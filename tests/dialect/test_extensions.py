"""How Entra changes managers and extension attributes."""

import logging

import pytest

from tests.support.urns import ENT, IDMELON, USER


@pytest.fixture
def chief(scim):
    return scim.create_user(displayName="Chief")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Add", "path": f"{ENT}:manager", "value": "ID"},
        {"op": "replace", "path": f"{ENT}:manager", "value": "ID"},
        {
            "op": "Add",
            "path": "manager",
            "value": [{"$ref": "http://old.example/scim/Users/ID", "value": "ID"}],
        },
        {"op": "Add", "path": f"{ENT}:manager", "value": [{"$ref": None, "value": "ID"}]},
        {"op": "Add", "path": f"{ENT}:manager", "value": {"value": "ID"}},
        {"op": "replace", "path": f"{ENT}:manager.value", "value": "ID"},
        {"op": "Add", "path": f"{ENT}.manager", "value": "ID"},
        {"op": "replace", "value": {f"{ENT}:manager": "ID"}},
        {"op": "replace", "value": {ENT: {"manager": {"value": "ID"}}}},
        {"op": "add", "value": {ENT: {"Manager": {"Value": "ID"}}}},
    ],
)
def test_manager_is_set(scim, chief, operation):
    path = f"/Users/{scim.create_user()['id']}"
    for manager in (scim.create_user(displayName="First"), chief):
        answer = scim.patch_op(path, with_id(operation, manager["id"]))
        assert answer.status == 200
        assert answer.body[ENT] == {
            "manager": {
                "value": manager["id"],
                "displayName": manager["displayName"],
                "$ref": manager["meta"]["location"],
            }
        }
        assert answer.body["schemas"] == [USER, ENT]
        assert scim.read(path) == answer.body


def with_id(value, id):
    if isinstance(value, dict):
        return {key: with_id(each, id) for key, each in value.items()}
    if isinstance(value, list):
        return [with_id(each, id) for each in value]
    return value.replace("ID", id) if isinstance(value, str) else value


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": f"{ENT}:manager", "value": ""},
        {"op": "replace", "path": f"{ENT}:manager", "value": None},
        {"op": "Remove", "path": f"{ENT}:manager"},
        {"op": "remove", "path": 'manager[value eq "ID"]'},
        {"op": "remove", "path": f'{ENT}:manager[value eq "ID"]'},
        {"op": "replace", "value": {f"{ENT}:manager": ""}},
        {"op": "replace", "path": f"{ENT}:manager.value", "value": ""},
        {"op": "Remove", "path": f"{ENT}:manager", "value": [{"value": "ID"}]},
        {"op": "Remove", "path": f"{ENT}:manager", "value": ""},
    ],
)
def test_manager_is_cleared(scim, chief, operation):
    user = scim.create_user(**{ENT: {"manager": {"value": chief["id"]}, "division": "Sea"}})
    answer = scim.patch_op(f"/Users/{user['id']}", with_id(operation, chief["id"]))
    assert answer.status == 200
    assert answer.body[ENT] == {"division": "Sea"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": 'manager[value eq "somebody-else"]'},
        {"op": "Remove", "path": f"{ENT}:manager", "value": [{"value": "somebody-else"}]},
        {"op": "Remove", "path": "manager", "value": "somebody-else"},
    ],
)
def test_another_manager_is_not_cleared(scim, chief, operation):
    path = f"/Users/{scim.create_user(**{ENT: {'manager': chief['id']}})['id']}"
    assert scim.patch_op(path, operation).status == 200
    assert scim.read(path)[ENT]["manager"]["value"] == chief["id"]


@pytest.mark.parametrize("address", ["../Users/ID/", "http://old.example/scim/Users/ID?x=1", "/Users/ID", "/%49D"])
@pytest.mark.parametrize("rest", [{}, {"value": None}])
def test_manager_is_known_by_its_address_alone(scim, chief, address, rest):
    path = f"/Users/{scim.create_user()['id']}"
    quoted = address.replace("%49D", chief["id"].replace("-", "%2D"))
    value = [{"$ref": with_id(quoted, chief["id"]), **rest}]
    answer = scim.patch_op(path, {"op": "replace", "path": "manager", "value": value})
    assert answer.body[ENT]["manager"]["value"] == chief["id"]


def test_an_address_without_an_id_is_no_manager(scim):
    path = f"/Users/{scim.create_user()['id']}"
    operation = {"op": "replace", "path": "manager", "value": {"$ref": "/"}}
    answer = scim.patch_op(path, operation)
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")


def test_null_for_the_core_schema_says_nothing(scim):
    path = f"/Users/{scim.create_user(title='Cook', **{USER: None})['id']}"
    assert scim.patch_op(path, {"op": "replace", "value": {USER: None, "nickName": "Jo"}}).body["title"] == "Cook"


def test_null_for_an_extension_clears_it(scim):
    path = f"/Users/{scim.create_user(**{ENT: {'division': 'Sea'}, 'title': 'Cook'})['id']}"
    answer = scim.patch_op(path, {"op": "replace", "value": {ENT: None}})
    assert (ENT in answer.body, answer.body["title"]) == (False, "Cook")
    assert scim.create_user(**{ENT: None, f"{ENT}:division": "Sea"})[ENT] == {"division": "Sea"}


@pytest.mark.parametrize("operation", [{"value": {ENT: None, "title": "Cook"}}, {"path": ENT, "value": None}])
def test_adding_nothing_to_an_extension_takes_nothing_away(scim, operation):
    path = f"/Users/{scim.create_user(**{ENT: {'division': 'Sea'}})['id']}"
    assert scim.patch_op(path, {"op": "add", **operation}).body[ENT] == {"division": "Sea"}


def test_unknown_manager_is_kept_without_ref(scim):
    path = f"/Users/{scim.create_user()['id']}"
    answer = scim.patch_op(path, {"op": "Add", "path": f"{ENT}:manager", "value": "not-here-yet"})
    assert answer.body[ENT] == {"manager": {"value": "not-here-yet"}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Add", "path": f"{IDMELON}:immutable_id", "value": "aGVsbG8="},
        {"op": "Replace", "path": f"{IDMELON}:immutable_id", "value": "aGVsbG8="},
        {"op": "add", "path": f"{IDMELON.lower()}:IMMUTABLE_ID", "value": "aGVsbG8="},
        {"op": "replace", "value": {f"{IDMELON}:immutable_id": "aGVsbG8="}},
        {"op": "replace", "value": {IDMELON: {"immutable_id": "aGVsbG8="}}},
        {"op": "Add", "path": f"{IDMELON}.immutable_id", "value": "aGVsbG8="},
        {"op": "Add", "path": IDMELON, "value": {"immutable_id": "aGVsbG8="}},
    ],
)
def test_custom_extension_paths(scim, operation):
    path = f"/Users/{scim.create_user(**{IDMELON: {'extraAttribute5': 'five'}})['id']}"
    answer = scim.patch_op(path, operation)
    assert answer.status == 200
    assert answer.body[IDMELON] == {"extraAttribute5": "five", "immutable_id": "aGVsbG8="}
    assert answer.body["schemas"] == [USER, IDMELON]
    assert scim.found("/Users", f'{IDMELON}:immutable_id eq "aGVsbG8="') == [answer.body["id"]]


@pytest.mark.parametrize("path", [ENT, ENT.lower()])
def test_whole_extension_is_removed_by_its_urn(scim, path):
    user = scim.create_user(**{ENT: {"department": "Dock", "division": "Sea"}})
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "Remove", "path": path})
    assert answer.status == 200
    assert ENT not in answer.body
    assert answer.body["schemas"] == [USER]


@pytest.mark.parametrize(
    "path",
    [
        "urn:ietf:params:scim:schemas:extension:Unheard:2.0:User:shoeSize",
        f"{ENT}:shoeSize",
        f"{IDMELON}:extraAttribute6",
        f"{IDMELON}:immutable",
        "shoeSize",
        "name.shoeSize",
    ],
)
def test_unknown_attribute_as_a_path_says_how_to_declare_it(scim, path):
    user = scim.create_user()
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "Add", "path": path, "value": "44"})
    assert (answer.status, answer.body["scimType"]) == (400, "invalidPath")
    assert "schemas" in answer.body["detail"]
    assert scim.read(f"/Users/{user['id']}") == user


def test_unknown_attributes_in_bodies_are_left_out_and_logged_by_name(scim, caplog):
    with caplog.at_level(logging.INFO):
        user = scim.create_user(shoeSize="forty-four", **{ENT: {"hatSize": "fifty-nine", "division": "Sea"}})
    assert "shoeSize" not in user
    assert user[ENT] == {"division": "Sea"}
    assert "shoeSize" in caplog.text
    assert "hatSize" in caplog.text
    assert "forty-four" not in caplog.text
    assert "fifty-nine" not in caplog.text
