"""How Entra tests the connection and matches objects."""

import pytest

from tests.support.urns import ENT, IDMELON, USER

NOTHING = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
    "totalResults": 0,
    "startIndex": 1,
    "itemsPerPage": 0,
    "Resources": [],
}


@pytest.mark.parametrize(
    "probe",
    [
        "/Users?filter=userName+eq+%22b1f0a6a2-0a3a-4d0e-9d6c-1f6d1b9c7a55%22",
        "/Users?filter=externalId+eq+%22b1f0a6a2-0a3a-4d0e-9d6c-1f6d1b9c7a55%22",
        "/Groups?excludedAttributes=members&filter=displayName+eq+%22b1f0a6a2-0a3a-4d0e-9d6c-1f6d1b9c7a55%22",
    ],
)
def test_test_connection_finds_nothing_with_success(scim, probe):
    assert scim.get(probe).body == NOTHING
    scim.create_user()
    scim.create_group()
    answer = scim.get(probe)
    assert answer.status == 200
    assert answer.body == NOTHING


@pytest.mark.parametrize(
    "query",
    [
        "filter=userName+eq+%22wim%2Bnl@contoso.example%22",
        "filter=userName%20eq%20%22wim%2Bnl%40contoso.example%22",
        'filter=userName%20eq%20"wim%2Bnl@contoso.example"',
        "filter=%75serName+eq+%22wim%2bnl%40contoso.example%22",
    ],
)
def test_spaces_pluses_and_at_signs_in_every_encoding(scim, query):
    user = scim.create_user(userName="wim+nl@contoso.example")
    scim.create_user(userName="wim nl@contoso.example")
    answer = scim.get(f"/Users?{query}")
    assert [found["id"] for found in answer.body["Resources"]] == [user["id"]]


@pytest.fixture
def jyri(scim):
    scim.create_user(userName="other@contoso.example", externalId="other")
    return scim.create_user(
        userName="jyri@contoso.example",
        externalId="jyri",
        emails=[
            {"type": "home", "value": "jyri@home.example"},
            {"type": "work", "value": "j.oja@contoso.example"},
        ],
        **{ENT: {"employeeNumber": "0042"}, IDMELON: {"immutable_id": "aW1tdXQ="}},
    )


@pytest.mark.parametrize(
    "filter",
    [
        'userName eq "jyri@contoso.example"',
        'externalId eq "jyri"',
        "externalId eq jyri",
        'emails[type eq "work"].value eq "j.oja@contoso.example"',
        'emails[type eq "work"] eq "j.oja@contoso.example"',
        'emails.value eq "j.oja@contoso.example"',
        'emails eq "j.oja@contoso.example"',
        f'{USER}:userName eq "jyri@contoso.example"',
        f'{USER}:emails[type eq "work"].value eq "j.oja@contoso.example"',
        f'{ENT}:employeeNumber eq "0042"',
        f'{IDMELON}:immutable_id eq "aW1tdXQ="',
        'userName eq "jyri@contoso.example" and externalId eq "jyri"',
    ],
)
def test_match_forms(scim, jyri, filter):
    assert scim.found("/Users", filter) == [jyri["id"]]


@pytest.mark.parametrize("filter", ['emails[type eq "work"].value eq "jyri@home.example"', "externalId eq jyr"])
def test_match_forms_that_must_miss(scim, jyri, filter):
    assert scim.found("/Users", filter) == []


def test_matching_attributes_are_tried_one_query_each(scim, jyri):
    assert scim.found("/Users", 'externalId eq "7ab5"') == []
    assert scim.found("/Users", 'userName eq "jyri@contoso.example"') == [jyri["id"]]


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ('quo"te', r'"quo\"te"'),
        ("back\\slash", r'"back\\slash"'),
        ("Zoë", r'"Zo\u00eb"'),
        ("Zoë", '"Zoë"'),
        ("😀", r'"\ud83d\ude00"'),
        ("sla/sh", r'"sla\/sh"'),
        ("D'Arcy", '"D\'Arcy"'),
        ("salt and pepper", '"salt and pepper"'),
        ('a" and "b', r'"a\" and \"b"'),
        ("(x) or [y]", '"(x) or [y]"'),
        ("50%25 & more = #1?", '"50%25 & more = #1?"'),
    ],
)
def test_special_characters(scim, name, literal):
    user = scim.create_user(userName=name)
    scim.create_user()
    assert scim.found("/Users", f"userName eq {literal}") == [user["id"]]


@pytest.mark.parametrize(
    "filter",
    [
        'USERNAME EQ "JYRI@Contoso.Example"',
        'username Eq "jyri@contoso.example" AND active Eq TRUE',
        f'{ENT.upper()}:EMPLOYEENUMBER eq "0042"',
        'Emails[Type EQ "WORK"].Value eq "J.OJA@contoso.example"',
    ],
)
def test_case_does_not_matter_to_names_and_keywords(scim, jyri, filter):
    scim.patch_op(f"/Users/{jyri['id']}", {"op": "Replace", "path": "active", "value": "True"})
    assert scim.found("/Users", filter) == [jyri["id"]]


def test_group_names_match_without_regard_to_case(scim):
    group = scim.create_group(displayName="Night Watch")
    assert scim.found("/Groups", 'DisplayName eq "NIGHT watch"') == [group["id"]]


def test_external_id_and_id_are_case_exact(scim, jyri):
    assert scim.found("/Users", 'externalId eq "JYRI"') == []
    assert scim.found("/Users", f'id eq "{jyri["id"]}"') == [jyri["id"]]
    assert scim.found("/Users", f'id eq "{jyri["id"].upper()}X"') == []


def test_one_match_only(scim, jyri):
    scim.create_user(userName="jyri@contoso.example.net")
    scim.create_user(userName="x-jyri@contoso.example")
    assert scim.found("/Users", 'userName eq "jyri@contoso.example"') == [jyri["id"]]
    assert scim.found("/Users", 'userName eq "jyri*"') == []


def test_inactive_users_are_found(scim):
    user = scim.create_user(userName="gone@contoso.example", active=False)
    answer = scim.query("/Users", filter='userName eq "gone@contoso.example"')
    assert [(found["id"], found["active"]) for found in answer.body["Resources"]] == [(user["id"], False)]


def test_get_by_id(scim):
    user, group = scim.create_user(), scim.create_group()
    assert scim.read(f"/Users/{user['id']}")["id"] == user["id"]
    assert scim.read(f"/Groups/{group['id']}?excludedAttributes=members")["id"] == group["id"]


@pytest.mark.parametrize("path", ["/Users/4f0d", "/Groups/4f0d?excludedAttributes=members"])
def test_unknown_id_is_404(scim, path):
    assert scim.get(path).status == 404


@pytest.mark.parametrize("name", ["members", "Members", "urn:ietf:params:scim:schemas:core:2.0:Group:members"])
def test_excluded_members_stay_out(scim, name):
    user = scim.create_user()
    group = scim.create_group(displayName="Rowers", members=[{"value": user["id"]}])
    path = f"/Groups/{group['id']}"
    assert "members" in scim.read(path)
    query = {"excludedAttributes": name, "filter": 'displayName eq "Rowers"'}
    search = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "excludedAttributes": [name],
    }
    without = [
        scim.read(f"{path}?excludedAttributes={name}"),
        *scim.query("/Groups", **query).body["Resources"],
        *scim.post("/Groups/.search", search).body["Resources"],
    ]
    assert [(found["displayName"], "members" in found) for found in without] == [("Rowers", False)] * 3


def test_manager_reference_check(scim):
    chief = scim.create_user()
    user = scim.create_user(**{ENT: {"manager": {"value": chief["id"]}}})
    answer = scim.query("/Users", filter=f'id eq "{user["id"]}" and manager eq "{chief["id"]}"', attributes="id")
    assert answer.body["totalResults"] == 1
    (found,) = answer.body["Resources"]
    assert found["id"] == user["id"]
    assert set(found) <= {"id", "schemas"}
    assert scim.found("/Users", f'id eq "{user["id"]}" and manager eq "{user["id"]}"') == []


def test_member_reference_check(scim):
    user = scim.create_user()
    group = scim.create_group(members=[{"value": user["id"]}])
    answer = scim.query("/Groups", filter=f'id eq "{group["id"]}" and members eq "{user["id"]}"', attributes="id")
    (found,) = answer.body["Resources"]
    assert found["id"] == group["id"]
    assert set(found) <= {"id", "schemas"}
    assert scim.found("/Groups", f'id eq "{group["id"]}" and members eq "nobody"') == []


def nulls(value):
    if isinstance(value, dict):
        return sum(nulls(each) for each in value.values())
    return sum(map(nulls, value)) if isinstance(value, list) else value is None


def test_schema_discovery(scim):
    listing = scim.read("/Schemas")
    assert listing["schemas"] == NOTHING["schemas"]
    assert listing["totalResults"] == len(listing["Resources"])
    assert nulls(listing) == 0
    attributes = {schema["id"]: {a["name"] for a in schema["attributes"]} for schema in listing["Resources"]}
    assert {"userName", "active", "emails", "roles", "name", "addresses"} <= attributes[USER]
    assert {"employeeNumber", "department", "manager"} <= attributes[ENT]
    assert attributes[IDMELON] == {"immutable_id", *(f"extraAttribute{n}" for n in range(1, 6))}
    assert {"displayName", "description", "members"} <= attributes["urn:ietf:params:scim:schemas:core:2.0:Group"]
