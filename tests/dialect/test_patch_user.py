"""How Entra changes users, in the legacy and the flag's dialect."""

import pytest

from tests.support.urns import ENT, USER

WORK = 'emails[type eq "work"]'


@pytest.mark.parametrize("op", ["Add", "add", "Replace", "replace", "REPLACE"])
def test_op_in_any_case(patch, op):
    assert patch({"op": op, "path": "title", "value": "Pilot"})["title"] == "Pilot"


@pytest.mark.parametrize("op", ["Remove", "remove"])
def test_remove_in_any_case(patch, op):
    assert "title" not in patch({"op": op, "path": "title"})


def test_cases_mixed_in_one_request(patch):
    changed = patch(
        {"op": "Add", "path": "nickName", "value": "Le"},
        {"op": "replace", "path": "title", "value": "Pilot"},
        {"op": "Remove", "path": "displayName"},
    )
    assert (changed["nickName"], changed["title"], "displayName" in changed) == ("Le", "Pilot", False)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": "active", "value": "False"},
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "value": {"active": False}},
        {"op": "Replace", "value": {"active": "False"}},
        {"op": "replace", "path": f"{USER}:active", "value": "false"},
    ],
)
def test_disable_in_both_dialects(patch, operation):
    assert patch(operation)["active"] is False
    assert patch({"op": "Add", "path": "active", "value": "True"})["active"] is True


def test_legacy_several_attributes_one_operation_each(patch):
    changed = patch(
        {"op": "Replace", "path": "displayName", "value": "L. Berg"},
        {"op": "Replace", "path": f"{WORK}.value", "value": "l.berg@contoso.example"},
        {"op": "Replace", "path": "name.givenName", "value": "Lene"},
        {"op": "Replace", "path": f"{ENT}:employeeNumber", "value": "12"},
    )
    assert changed["displayName"] == "L. Berg"
    assert changed["emails"] == [{"type": "work", "value": "l.berg@contoso.example", "primary": True}]
    assert changed["name"] == {"givenName": "Lene", "familyName": "Berg", "formatted": "Lena Berg"}
    assert changed[ENT] == {"department": "Harbour", "employeeNumber": "12"}


@pytest.mark.parametrize("op", ["replace", "add"])
def test_flag_several_attributes_in_one_operation_without_path(patch, op):
    changed = patch(
        {"op": "replace", "path": f"{WORK}.value", "value": "l.berg@contoso.example"},
        {
            "op": op,
            "value": {
                "displayName": "L. Berg",
                "name.givenName": "Lene",
                "name.familyName": "Dahl",
                f"{ENT}:employeeNumber": "12",
            },
        },
    )
    assert changed["displayName"] == "L. Berg"
    assert changed["emails"][0]["value"] == "l.berg@contoso.example"
    assert changed["name"] == {"givenName": "Lene", "familyName": "Dahl", "formatted": "Lena Berg"}
    assert changed[ENT] == {"department": "Harbour", "employeeNumber": "12"}


@pytest.mark.parametrize("op", ["Add", "add"])
def test_single_attribute_keeps_its_path(patch, op):
    assert patch({"op": op, "path": "nickName", "value": "Le"})["nickName"] == "Le"


@pytest.mark.parametrize("op", ["replace", "add"])
def test_nested_values_without_path(patch, op):
    changed = patch({"op": op, "value": {ENT: {"department": "Dock"}, "name": {"givenName": "Lene"}}})
    assert changed[ENT] == {"department": "Dock", "employeeNumber": "11"}
    assert changed["name"] == {"givenName": "Lene", "familyName": "Berg", "formatted": "Lena Berg"}


def test_names_of_a_message_in_any_case(scim, user):
    path = f"/Users/{user['id']}"
    for operations in ("operations", "OPERATIONS"):
        body = {operations: [{"Op": "Add", "PATH": "title", "Value": operations}]}
        assert scim.patch(path, body).status == 200
        assert scim.read(path)["title"] == operations


@pytest.mark.parametrize("op", ["Add", "Replace"])
@pytest.mark.parametrize("path", ["title", "nickName", "name.middleName", f"{ENT}:division"])
def test_add_is_replace_for_single_values(patch, op, path):
    for value in ("One", "Two"):
        changed = patch({"op": op, "path": path, "value": value})
        flat = {**changed, **{f"name.{k}": v for k, v in changed["name"].items()}}
        flat |= {f"{ENT}:{k}": v for k, v in changed[ENT].items()}
        assert flat[path] == value


@pytest.mark.parametrize("op", ["Add", "add", "Replace", "replace"])
@pytest.mark.parametrize(
    ("name", "type", "sub", "value"),
    [("addresses", "work", "streetAddress", "1 Quay"), ("phoneNumbers", "mobile", "value", "555-0199")],
)
def test_valued_path_that_matches_nothing_creates(patch, op, name, type, sub, value):
    changed = patch({"op": op, "path": f'{name}[type eq "{type}"].{sub}', "value": value})
    assert changed[name] == [{"type": type, sub: value}]


def test_an_element_of_another_type_is_left_alone(patch):
    changed = patch({"op": "Add", "path": 'emails[type eq "home"].value', "value": "lena@home.example"})
    assert [email["value"] for email in changed["emails"]] == ["lena@contoso.example", "lena@home.example"]


def test_consecutive_operations_make_one_element(patch):
    changed = patch(
        {"op": "Add", "path": 'addresses[type eq "work"].streetAddress', "value": "1 Quay"},
        {"op": "Add", "path": 'addresses[type eq "work"].locality', "value": "Bergen"},
        {"op": "Add", "path": 'addresses[Type EQ "Work"].country', "value": "NO"},
    )
    assert changed["addresses"] == [{"type": "work", "streetAddress": "1 Quay", "locality": "Bergen", "country": "NO"}]


def test_conditions_joined_by_and_are_all_kept_in_the_new_element(patch):
    path = 'phoneNumbers[type eq "mobile" and primary eq true].value'
    changed = patch({"op": "Add", "path": path, "value": "555-0199"})
    assert changed["phoneNumbers"] == [{"type": "mobile", "primary": True, "value": "555-0199"}]


def test_complex_value_creates_too(patch):
    operation = {"op": "replace", "path": 'addresses[type eq "home"]', "value": {"locality": "Oslo"}}
    assert patch(operation)["addresses"] == [{"type": "home", "locality": "Oslo"}]


@pytest.mark.parametrize(
    "path",
    [
        'phoneNumbers[type co "mob"].value',
        'phoneNumbers[type eq "mobile" or type eq "pager"].value',
        'phoneNumbers[not (type eq "work")].value',
        "phoneNumbers[type pr].value",
    ],
)
def test_conditions_that_name_no_element_are_no_target(scim, user, path):
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "Add", "path": path, "value": "555-0199"})
    assert (answer.status, answer.body["scimType"]) == (400, "noTarget")


@pytest.mark.parametrize("value", ["True", "true", True])
def test_primary_moves(patch, value):
    changed = patch(
        {"op": "Add", "path": 'emails[type eq "home"].value', "value": "lena@home.example"},
        {"op": "Add", "path": 'emails[type eq "home"].primary', "value": value},
    )
    work, home = changed["emails"]
    assert home == {"type": "home", "value": "lena@home.example", "primary": True}
    assert not work.get("primary")


@pytest.mark.parametrize("type", ["work", "other"])
def test_list_where_one_value_belongs(patch, type):
    path = f'emails[type eq "{type}"].value'
    changed = patch({"op": "Add", "path": path, "value": [{"value": "new@contoso.example"}]})
    (email,) = [email for email in changed["emails"] if email["type"] == type]
    assert email["value"] == "new@contoso.example"


def test_whole_element_is_merged_and_keeps_its_type(patch):
    changed = patch({"op": "replace", "path": WORK, "value": {"value": "new@contoso.example"}})
    assert changed["emails"] == [{"type": "work", "value": "new@contoso.example", "primary": True}]


def test_formatted_and_parts_are_independent(patch):
    changed = patch(
        {"op": "Replace", "path": "name.formatted", "value": "Ms L. Berg"},
        {"op": "Replace", "path": "name.familyName", "value": "Dahl"},
        {"op": "Add", "path": 'addresses[type eq "work"].formatted', "value": "1 Quay, Bergen"},
        {"op": "Add", "path": 'addresses[type eq "work"].locality', "value": "Oslo"},
    )
    assert changed["name"] == {"givenName": "Lena", "familyName": "Dahl", "formatted": "Ms L. Berg"}
    assert changed["addresses"] == [{"type": "work", "formatted": "1 Quay, Bergen", "locality": "Oslo"}]


def many_operations(op):
    names = ["givenName", "familyName", "middleName", "honorificPrefix", "honorificSuffix", "formatted"]
    address = ["streetAddress", "locality", "region", "postalCode", "country", "formatted"]
    phones = ["work", "mobile", "fax", "pager", "home", "other"]
    paths = [
        *["title", "nickName", "displayName", "userType", "timezone", "locale", "preferredLanguage"],
        *(f"name.{name}" for name in names),
        *(f'addresses[type eq "{type}"].{name}' for type in ("work", "home") for name in address),
        *(f"{ENT}:{name}" for name in ["employeeNumber", "costCenter", "organization", "division", "department"]),
        *(f'phoneNumbers[type eq "{type}"].value' for type in phones),
    ]
    return [{"op": op, "path": path, "value": f"v{n}"} for n, path in enumerate(paths)]


@pytest.mark.parametrize("op", ["Add", "replace"])
def test_36_operations_in_one_request(patch, op):
    operations = many_operations(op)
    assert len(operations) == 36
    changed = patch(*operations)
    assert changed["title"] == "v0"
    assert len(changed["addresses"]) == 2
    assert [phone["value"] for phone in changed["phoneNumbers"]] == [f"v{n}" for n in range(30, 36)]


def test_all_or_nothing(scim, user):
    path = f"/Users/{user['id']}"
    answer = scim.patch_op(path, *many_operations("Add"), {"op": "Add", "path": "active", "value": "maybe"})
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
    assert scim.read(path) == user


def test_no_operations_change_nothing(scim, user):
    answer = scim.patch_op(f"/Users/{user['id']}")
    assert answer.status == 200
    assert answer.body == user
    assert scim.patch_op(f"/Groups/{scim.create_group()['id']}").status == 204
