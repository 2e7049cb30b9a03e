"""Queries and addresses of clients other than Entra are read as they are meant, or refused."""

import json
from urllib.parse import quote

import pytest

from tests.support.urns import ENT, USER

ENT_1_1 = "urn:scim:schemas:extension:enterprise:1.0"
OBRIEN = "O'Brien"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


@pytest.fixture
def people(scim):
    """The ids of three users by name."""
    return {
        name: scim.create_user(
            userName=name,
            active=True,
            emails=[{"type": "work", "value": f"{n}@x.example"}],
            **{ENT: {"department": "Dock"}},
        )["id"]
        for n, name in enumerate(["O'Brien", "'s-Gravenhage", 'the "line" (x)'])
    }


@pytest.mark.parametrize(
    ("filter", "name"),
    [
        ("userName Eq 'O'Brien'", "O'Brien"),
        ("userName eq 'O''Brien'", "O'Brien"),
        (r"userName eq 'O\'Brien'", "O'Brien"),
        ('userName eq "O\'Brien"', "O'Brien"),
        ("userName eq O'Brien", "O'Brien"),
        ('userName eq "\'s-Gravenhage"', "'s-Gravenhage"),
        ("userName eq ''s-Gravenhage'", "'s-Gravenhage"),
        ("userName eq 'the \"line\" (x)'", 'the "line" (x)'),
        (r'userName eq "the \"line\" (x)"', 'the "line" (x)'),
        ("emails[type eq 'work'].value eq '0@x.example'", "O'Brien"),
        ("emails[type eq 'work' and value eq \"1@x.example\"]", "'s-Gravenhage"),
        ("(userName eq 'nobody') or (userName sw 'O' and active eq 'True')", "O'Brien"),
        (f"{ENT_1_1}:department eq 'dock' and userName sw 'o'", "O'Brien"),
        ('urn:scim:schemas:core:1.0:userName eq "o\'brien"', "O'Brien"),
    ],
)
def test_strings_in_single_quotes(scim, people, filter, name):
    found = [scim.found("/Users", filter), [one["id"] for one in search(scim, filter=filter)["Resources"]]]
    assert found == [[people[name]]] * 2


def search(scim, **parameters):
    answer = scim.post("/Users/.search", {"schemas": [SEARCH], **parameters})
    assert answer.status == 200, answer.body
    return answer.body


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("op", ["add", "replace"])
def test_paths_with_strings_in_single_quotes(scim, people, op, quote):
    path = f"/Users/{people[OBRIEN]}"
    operation = {"op": op, "path": f"emails[type eq {quote}work{quote}].value", "value": "new@x.example"}
    assert scim.patch_op(path, operation).body["emails"] == [{"type": "work", "value": "new@x.example"}]
    removal = {"op": "remove", "path": f"emails[type eq {quote}work{quote}]"}
    assert "emails" not in scim.patch_op(path, removal).body


def test_bulk_paths_with_strings_in_single_quotes(scim):
    group = scim.create_group()
    path = {"op": "add", "path": "members[value eq 'bulkId:new']", "value": "bulkId:new"}
    operations = [
        {"method": "PATCH", "path": f"/groups/{group['id']}", "data": {"Operations": [path]}},
        {"method": "POST", "path": "/users", "bulkId": "new", "data": {"userName": "new"}},
    ]
    schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
    answer = scim.post("/Bulk", {"schemas": schemas, "Operations": operations}).body
    assert [one["status"] for one in answer["Operations"]] == ["204", "201"]
    (new,) = scim.found("/Users", "userName eq 'new'")
    assert [member["value"] for member in scim.read(f"/Groups/{group['id']}")["members"]] == [new]


@pytest.mark.parametrize(
    ("filter", "advice"),
    [
        ("userName eq 'open", "quotation mark at character 13 is not closed"),
        ("userName eq 'open and active eq true", "not closed"),
        (r'userName eq "CONTOSO\jdoe"', r"write a backslash as \\"),
        ('not userName eq "x"', 'not (userName eq "x")'),
        ('not active eq true and not userName eq "x"', "needs parentheses"),
    ],
)
def test_a_refused_filter_says_how_to_write_it(scim, people, filter, advice):
    answer = scim.query("/Users", filter=filter)
    assert (answer.status, answer.body["scimType"]) == (400, "invalidFilter")
    assert advice in answer.body["detail"]


@pytest.mark.parametrize("name", ["filter", "Filter", "FILTER"])
def test_names_of_parameters_in_any_case(scim, people, name):
    body = scim.query(
        "/Users", **{name: 'userName eq "O\'Brien"', "STARTINDEX": 1, "Count": 1, "ATTRIBUTES": "id"}
    ).body
    assert body["Resources"] == [{"schemas": [USER, ENT], "id": people[OBRIEN]}]
    assert scim.query("/Users", startindex=2, COUNT=1).body["itemsPerPage"] == 1
    assert (
        scim.query("/Users", SORTBY="userName", sortorder="DESCENDING", count=1).body["Resources"][0]["id"]
        == (people['the "line" (x)'])
    )
    assert scim.get(f"/Users/{people[OBRIEN]}?Attributes=userName").body.keys() == {"schemas", "id", "userName"}
    assert scim.query("/Schemas", **{name: 'id eq "x"'}).status == 403


@pytest.mark.parametrize("order", ["ASCENDING", "Ascending", "ascending", ""])
def test_sort_order_in_any_case(scim, people, order):
    listed = scim.query("/Users", sortBy="userName", sortOrder=order).body["Resources"]
    assert [one["userName"] for one in listed] == sorted(people)
    assert len(search(scim, sortBy="userName", sortOrder=order)["Resources"]) == 3


def test_empty_parameters_are_absent(scim, people):
    names = ("filter", "count", "startIndex", "sortBy", "sortOrder", "attributes", "excludedAttributes")
    everybody = scim.get("/Users").body
    assert scim.get(f"/Users?{'=&'.join(names)}=").body == everybody
    assert search(scim, **dict.fromkeys(names, "")) == everybody
    assert scim.get("/Schemas?filter=").status == 200


@pytest.mark.parametrize("query", ["filter=id+pr&filter=title+pr", "count=1&Count=2", "attributes=id&attributes=title"])
def test_a_parameter_given_twice_is_refused(scim, people, query):
    assert scim.get(f"/Users?{query}").status == 400


@pytest.mark.parametrize(
    ("names", "left"),
    [
        ('emails[type eq "work"]', {"emails"}),
        ('emails[type eq "a,b]" and value pr].value,userName', {"emails", "userName"}),
        ("emails[type eq 'work'].value,title", {"emails"}),
        (f'{ENT_1_1}:department,{ENT}:manager[value eq "x"]', {ENT}),
    ],
)
def test_an_attribute_named_with_a_filter_counts_by_its_name(scim, people, names, left):
    path = f"/Users/{people[OBRIEN]}"
    assert scim.get(f"{path}?attributes={quote(names)}").body.keys() == {"schemas", "id", *left}
    assert search(scim, attributes=names)["Resources"][0].keys() & left
    assert not scim.get(f"{path}?excludedAttributes={quote(names)}").body.keys() & left - {ENT, "emails"}


@pytest.mark.parametrize("end", ["s", "S"])
def test_endpoints_in_any_case(scim, people, end):
    id = people[OBRIEN]
    assert scim.query(f"/user{end}", filter='userName eq "O\'Brien"').body["Resources"][0]["id"] == id
    assert scim.patch_op(f"/USER{end}/{id}", {"op": "add", "path": "title", "value": "Mate"}).status == 200
    assert scim.post(f"/user{end}/.search", {"filter": "id pr"}).body["totalResults"] == 3
    assert scim.post(f"/group{end}", {"displayName": "Crew"}).status == 201
    assert scim.get(f"/user{end}/{id.upper()}X").status == 404
    assert scim.get("/schemas").status == scim.get("/serviceproviderconfig").status == 200


def test_text_json_is_json(scim):
    body, headers = {"schemas": [USER], "userName": "ada"}, {"Content-Type": "text/json; charset=utf-8"}
    assert scim.post("/Users", body, headers).status == 201


@pytest.mark.parametrize(
    "urn", [USER, "urn:ietf:params:scim:api:messages:2.0:BulkRequest", "urn:scim:schemas:core:1.0"]
)
def test_a_patch_that_names_another_schema_is_a_patch(scim, people, urn):
    path = f"/Users/{people[OBRIEN]}"
    body = {"schemas": [urn], "Operations": [{"op": "replace", "value": {"title": "Mate"}}]}
    assert scim.patch(path, body).body["title"] == "Mate"


NAMES = ["straße", "strasse", "I\u015f\u0131k", "I\u015fik", "\u0130nci", "inci"]


def test_letters_that_are_not_one_in_lower_case_are_two_people(scim):
    ids = [scim.create_user(userName=name, displayName=name)["id"] for name in NAMES]
    for name, id in zip(NAMES, ids, strict=True):
        for attribute in ("userName", "displayName"):
            assert scim.found("/Users", f"{attribute} eq {json.dumps(name)}") == [id]
    assert scim.found("/Users", 'userName eq "STRASSE"') == [ids[1]]
    assert scim.found("/Users", 'userName eq "STRAẞE"') == [ids[0]]


def test_a_sigma_is_the_same_at_the_end_of_a_word(scim):
    id = scim.create_user(userName="Νίκος", displayName="Νικοσια")["id"]
    assert scim.found("/Users", 'userName eq "ΝΊΚΟΣ"') == [id]
    assert scim.found("/Users", 'displayName sw "ΝΙΚΟΣ"') == [id]
    assert scim.post("/Users", {"userName": "ΝΊΚΟΣ"}).status == 409
