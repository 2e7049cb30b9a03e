"""Schemas exported from Entra: read their mappings, add IDmelon's attributes."""

import contextlib
import copy
import json
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entra import graph, schema
from entra.mapping import MappingError
from entra.targets import IDMELON
from tests.support.emulator_job import Job, company
from tests.support.emulator_schema import exported, mapping, row, rows_of


def test_the_attributes_and_mappings_are_added():
    document, changes = schema.augment(exported())
    sources = {r["targetAttributeName"]: r["source"]["name"] for r in rows_of(document, "User")}
    assert sources["externalId"] == "objectId"
    assert sources[f"{IDMELON}:immutable_id"] == "immutableId"
    assert [sources[f"{IDMELON}:extraAttribute{n}"] for n in range(1, 6)] == [
        f"extensionAttribute{n}" for n in range(1, 6)
    ]
    assert {r["targetAttributeName"]: r["source"]["name"] for r in rows_of(document, "Group")}["description"]
    target = document["directories"][1]["objects"]
    declared = {a["name"]: a for a in target[0]["attributes"]}
    assert declared[f"{IDMELON}:immutable_id"]["type"] == "String"
    assert "description" in {a["name"] for a in target[1]["attributes"]}
    assert len(changes) == 6 + 6 + 1 + 2


def test_the_given_schema_is_not_changed_and_existing_mappings_are_kept():
    given = exported()
    chosen = row(f"{IDMELON}:extraAttribute1", "[department]")
    rows_of(given, "User").append(chosen)
    before = copy.deepcopy(given)
    document, _ = schema.augment(given)
    assert given == before
    assert chosen in rows_of(document, "User")
    assert document["directories"][0] == given["directories"][0]


def test_an_external_id_chosen_by_an_administrator_is_kept():
    given = exported()
    rows_of(given, "User")[4]["source"].update(name="employeeId", expression="[employeeId]")
    document, _ = schema.augment(given)
    assert rows_of(document, "User")[4]["source"]["name"] == "employeeId"


def test_a_second_run_changes_nothing():
    once, _ = schema.augment_text(json.dumps(exported()))
    twice, changes = schema.augment_text(once)
    assert (twice, changes) == (once, [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "not JSON"),
        ("[]", "is a JSON object"),
        ("{}", '"synchronizationRules"'),
        ('{"synchronizationRules": []}', '"directories"'),
        ('{"synchronizationRules": [], "directories": []}', "maps objects to User"),
        (
            '{"synchronizationRules": [1], "directories": []}',
            '"synchronizationRules" in the file must contain only objects',
        ),
        ('{"synchronizationRules": [{"objectMappings": 1}], "directories": []}', '"objectMappings" in .* a list'),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_an_invalid_schema_is_rejected_with_the_reason(text, reason):
    with pytest.raises(schema.NoSchemaError, match=reason):
        schema.augment_text(text)


def test_a_schema_without_a_description_of_the_target_is_rejected():
    given = exported()
    del given["directories"][1]
    with pytest.raises(schema.NoSchemaError, match="does not describe User of customappsso"):
        schema.augment(given)


def test_a_schema_that_does_not_map_users_is_rejected():
    given = exported()
    given["synchronizationRules"][0]["objectMappings"] = [mapping("Contact", [])]
    with pytest.raises(schema.NoSchemaError, match="maps objects to User"):
        schema.augment(given)


def test_the_portals_export_of_a_whole_job_is_read():
    assert graph.load(json.dumps({"schema": exported()}))["version"] == "v1.0"


# Provisioning with an exported schema


def test_mappings_are_read_and_unsupported_ones_are_reported():
    document, _ = schema.augment(exported())
    rows_of(document, "User").append(row("title", "StripSpaces([jobTitle])"))
    graph.object_mapping(document, "User")["scope"] = {
        "groups": [
            {
                "clauses": [
                    {
                        "sourceOperandName": "department",
                        "operatorName": "EQUALS",
                        "targetOperand": {"values": ["Sales"]},
                    },
                    {"sourceOperandName": "city", "operatorName": "SOUNDS LIKE", "targetOperand": {"values": ["x"]}},
                ]
            }
        ]
    }
    mappings = graph.mappings(document)
    assert mappings.unsupported == (
        "User: scoping filter on city: operator SOUNDS LIKE",
        "User.title: unknown function StripSpaces",
    )
    assert [row.target.text for row in mappings.users.matching] == ["userName"]
    assert mappings.users.scope.matches({"department": "sales"})
    assert not mappings.users.scope.matches({"department": "Legal"})
    assert mappings.groups.actions == {"add", "update", "delete"}


def test_constants_create_only_rows_defaults_and_disabled_actions_are_read():
    document = exported()
    constant = {"type": "Constant", "name": "Employee", "expression": '"Employee"'}
    once = row("title", "[jobTitle]", flowType="ObjectAddOnly", defaultValue="None")
    rows_of(document, "User").extend([row("userType", "[x]", source=constant), once])
    graph.object_mapping(document, "User")["flowTypes"] = "Add, Update"
    users = graph.mappings(document).users
    found = {r.target.text: r for r in users.rows}
    assert found["userType"].value({}) == "Employee"
    assert (found["title"].create_only, found["title"].default) == (True, "None")
    assert users.actions == {"add", "update"}


def test_a_source_without_expression_is_read_from_its_parameters():
    document = exported()
    inner = [{"key": "separator", "value": {"type": "Constant", "name": "-"}}]
    inner += [{"key": "s", "value": {"type": "Attribute", "name": n}} for n in ("givenName", "surname")]
    source = {"type": "Function", "name": "Join", "parameters": inner}
    rows_of(document, "User").append(row("nickName", "[x]", source=source))
    found = {r.target.text: r for r in graph.mappings(document).users.rows}
    assert found["nickName"].value({"givenName": "Kim", "surname": "Ó"}) == "Kim-Ó"


def test_a_schema_without_a_matching_attribute_is_rejected():
    document = exported()
    rows_of(document, "User")[0]["matchingPriority"] = 0
    with pytest.raises(graph.NoSchemaError, match="matchingPriority"):
        graph.mappings(document)


def test_an_expression_that_cannot_be_evaluated_fails_only_that_object():
    document = exported()
    rows_of(document, "User").append(row("title", "Mid([jobTitle], [jobTitle], 1)"))
    job, tenant = Job(mappings=graph.mappings(document)), company(jobTitle="1")
    tenant.objects["u2"].source["jobTitle"] = "x"
    assert [code for code, _ in job.sync(tenant).errors] == ["AttributeMappingError"]
    assert set(job.state.escrow) == {"u2"}


def test_a_cycle_with_an_exported_schema_writes_the_mapped_attributes():

    document, _ = schema.augment(exported())
    job, tenant = Job(mappings=graph.mappings(document)), company(immutableId="abc=", mail="u@x.example")
    assert not job.sync(tenant).errors
    user = job.user(tenant, "u1")
    assert (user["externalId"], user[IDMELON]["immutable_id"]) == ("u1", "abc=")
    assert "title" not in user


# Invalid uploads


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def put(document, path, value):
    *way, last = path
    for key in way:
        document = document[key]
    document[last] = deepcopy(value)  # or later changes would modify it for all examples


ODD = st.sampled_from([None, 0, 1.5, True, "", "x", [], [None], [1], ["x"], {}, {"a": 1}, [{}], [[]]])
PLACES = sorted(filter(None, places(exported())), key=str)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=3))
def test_a_schema_with_any_wrong_value_is_accepted_or_rejected(changes):
    document = exported()
    for path, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):
            put(document, path, value)
    with contextlib.suppress(schema.NoSchemaError):
        text, _ = schema.augment_text(json.dumps(document))
        assert schema.augment_text(text) == (text, [])
    with contextlib.suppress(schema.NoSchemaError):
        mappings = graph.mappings(graph.load(json.dumps(document)))
        with contextlib.suppress(MappingError):
            assert list(mappings.users.values({"city": "x"}))
        mappings.users.scope.matches({"city": "x"})


def test_a_deeply_nested_file_is_rejected():
    with pytest.raises(schema.NoSchemaError, match="not JSON"):
        schema.augment_text("[" * 100_000)
