"""Tenant files, demo tenants and their changes."""

import json

import pytest

from entra.changes import day
from entra.demo import generate
from entra.tenant import TenantError, from_json, load, to_json

USER = {"objectId": "1", "userPrincipalName": "a"}
GROUP = {"objectId": "2", "displayName": "G"}


def test_the_same_seed_makes_the_same_tenant():
    assert to_json(generate(50, 5, seed=3)) == to_json(generate(50, 5, seed=3))
    assert to_json(generate(50, 5, seed=3)) != to_json(generate(50, 5, seed=4))


def test_a_demo_tenant_has_difficult_cases():
    tenant = generate(1000, 20)
    people = [person.source for person in tenant.of("User")]
    assert (len(people), len(tenant.of("Group"))) == (1000, 20)
    names = [p["userPrincipalName"] for p in people]
    assert len({name.casefold() for name in names}) == 1000
    assert any("'" in name for name in names)
    assert any("#EXT#" in name for name in names)
    assert any(not p["displayName"].isascii() for p in people)
    assert any(not p["accountEnabled"] for p in people)
    assert any(len(p["appRoleAssignments"]) > 1 for p in people)
    ids = {p["objectId"] for p in people}
    managed = [p["manager"] for p in people if "manager" in p]
    assert len(managed) > 900
    assert set(managed) <= ids
    assert all(set(group.members) <= ids and group.members for group in tenant.of("Group"))
    assert len({group.name for group in tenant.of("Group")}) == 20


def test_many_groups_have_distinct_names():
    assert len({g.name for g in generate(30, 40).of("Group")}) == 40


def test_a_tenant_file_round_trips(tmp_path):
    tenant = generate(10, 2)
    path = tmp_path / "tenant.json"
    path.write_text(json.dumps(to_json(tenant)), encoding="utf-8")
    assert to_json(load(path)) == to_json(tenant)


def test_a_day_changes_a_copy():
    tenant = generate(20, 3)
    before = json.dumps(to_json(tenant))
    changed, happened = day(tenant, seed=1)
    assert json.dumps(to_json(tenant)) == before
    assert to_json(changed) != to_json(tenant)
    assert len(happened) == 14
    assert any("joins" in what for what in happened)


def test_all_objects_are_assigned_by_default():
    tenant = from_json({"users": [{"objectId": "1", "userPrincipalName": "a@b.c"}]})
    assert tenant.assigned() == {"1"}


def test_objects_are_found_by_any_name():
    tenant = generate(10, 1)
    person = tenant.of("User")[3]
    for key in ("objectId", "userPrincipalName", "displayName"):
        assert tenant.find(person.source[key].upper()).id == person.id or key == "displayName"
    assert tenant.find("unknown") is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([], '"users" list'),
        ({"users": 1}, '"users" list'),
        ({"users": [1]}, r"users\[0\] is not an object"),
        ({"users": [{"objectId": "1"}]}, r'users\[0\] has no "userPrincipalName"'),
        ({"users": [], "groups": [{"displayName": "G"}]}, r'groups\[0\] has no "objectId"'),
        ({"users": [USER] * 2}, "repeats the objectId 1"),
        ({"users": [], "groups": [{**GROUP, "members": ["nope", 1]}]}, r'"members" of groups\[0\] must be a list of'),
        ({"users": [], "groups": [{**GROUP, "members": 1}]}, r'"members" of groups\[0\] must be a list of'),
        ({"users": [], "groups": 1}, '"groups" a list'),
        ({"users": [], "tenant": "x"}, '"tenant" must be an object'),
        ({"users": [], "assignments": [[]]}, '"assignments" must be a list of objectIds'),
        ({"users": [], "assignments": None}, '"assignments" must be a list of objectIds'),
        ({"users": [{**USER, "manager": ["2"]}]}, r'"manager" of users\[0\] must be an objectId'),
    ],
)
def test_an_invalid_tenant_is_rejected_with_the_reason(raw, reason):
    with pytest.raises(TenantError, match=reason):
        from_json(raw)


UNKNOWN_KEYS = """{
  "tenant": {"displayName": "Contoso", "title": "X"},
  "users": [
    {"objectId": "1", "userPrincipalName": "a"},
    {"objectId": "2", "userPrincipalName": "b \\" , [",
     "departement": "Sales"}
  ],
  "groups": [{"objectId": "3", "displayName": "G",
              "department": "Sales"}],
  "asignments": []
}"""


@pytest.mark.parametrize(
    ("removed", "reason"),
    [
        ((), 'line 10 has an unknown key "asignments". Did you mean "assignments"?'),
        (("asignments",), 'line 2 has an unknown key "title".'),
        (("asignments", "title"), 'line 6 has an unknown key "departement". Did you mean "department"?'),
        (("asignments", "title", "departement"), 'line 9 has an unknown key "department".'),
    ],
)
def test_an_unknown_key_is_an_error_with_its_line(tmp_path, removed, reason):
    text = UNKNOWN_KEYS
    for key in removed:  # each is replaced by one that is known at its place
        known = {"asignments": "assignments", "title": "domain", "departement": "department"}[key]
        text = text.replace(f'"{key}"', f'"{known}"')
    path = tmp_path / "tenant.json"
    path.write_text(text)
    with pytest.raises(TenantError) as error:
        load(path, frozenset())
    assert str(error.value) == f"{path}: {reason}"


def test_attributes_of_extensions_and_of_mappings_are_known(tmp_path):
    path = tmp_path / "tenant.json"
    more = {"extensionAttribute7": "x", "extension_1b4f_costCenter": "y", "badge": "z"}
    path.write_text(json.dumps({"users": [{**USER, **more}]}))
    assert load(path, frozenset({"badge"})).objects["1"].source["badge"] == "z"
    with pytest.raises(TenantError, match='unknown key "badge"'):
        load(path, frozenset())


def test_a_demo_tenant_and_its_changes_have_known_keys_only(tmp_path):
    path = tmp_path / "tenant.json"
    tenant = generate(40, 5)
    for seed in range(5):
        tenant, _ = day(tenant, seed)
        path.write_text(json.dumps(to_json(tenant)))
        load(path, frozenset())


def test_a_tenant_file_that_is_not_json_is_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(TenantError, match=r"x\.json is not JSON"):
        load(path)
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(TenantError, match="nested too deeply"):
        load(path)
    path.write_text(r'{"users": [{"objectId": "1", "userPrincipalName": "\ud800"}]}', encoding="utf-8")
    with pytest.raises(TenantError, match="half a surrogate pair"):
        load(path)
    with pytest.raises(TenantError, match="No such file"):
        load(tmp_path / "none.json")
