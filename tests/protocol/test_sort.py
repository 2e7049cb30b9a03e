"""sortBy and sortOrder (RFC 7644 section 3.4.2.3)."""

import time

import pytest

from tests.support.urns import ENT, USER

SHIP = "urn:example:params:scim:schemas:extension:ship:2.0:User"
SHIP_SCHEMA = {
    "id": SHIP,
    "name": "ShipUser",
    "extends": "User",
    "attributes": [{"name": "level", "type": "integer"}, {"name": "since", "type": "dateTime"}],
}

PEOPLE = [
    {
        "userName": "dag",
        "externalId": "b",
        "title": "Mate",
        "active": True,
        "emails": [{"value": "z@x.example"}, {"value": "b@x.example", "primary": True}],
        SHIP: {"level": 10, "since": "2020-01-01T02:00:00+02:00"},
    },
    {
        "userName": "Ada",
        "externalId": "B",
        "title": "cook",
        "name": {"familyName": "Young"},
        "emails": [{"value": "C@x.example"}, {"value": "a@x.example"}],
        SHIP: {"level": 9, "since": "2020-01-01T01:00:00Z"},
    },
    {
        "userName": "bo",
        "externalId": "a",
        "active": False,
        "name": {"familyName": "ash"},
        "emails": [{"value": "a@x.example"}],
        SHIP: {"level": -1, "since": "2020-01-01T00:30:00Z"},
    },
    {"userName": "Cy", "title": "Cook", ENT: {"department": "Dock"}},
]


@pytest.fixture(scope="module")
def people(make_scim):
    scim = make_scim(schemas=[SHIP_SCHEMA])
    for person in PEOPLE:
        scim.create_user(**person)
        time.sleep(0.002)  # meta.created tells milliseconds
    return scim


def names(answer):
    assert answer.status == 200, answer.body
    return " ".join(found["userName"] for found in answer.body["Resources"])


@pytest.mark.parametrize(
    ("sort_by", "ascending", "descending"),
    [
        ("userName", "Ada bo Cy dag", "dag Cy bo Ada"),
        ("USERNAME", "Ada bo Cy dag", "dag Cy bo Ada"),
        (f"{USER}:userName", "Ada bo Cy dag", "dag Cy bo Ada"),
        ("externalId", "Ada bo dag Cy", "Cy dag bo Ada"),
        ("name.familyName", "bo Ada dag Cy", "dag Cy Ada bo"),
        ("emails", "bo dag Ada Cy", "Cy Ada dag bo"),
        ("emails.value", "bo dag Ada Cy", "Cy Ada dag bo"),
        (f"{SHIP}:level", "bo Ada dag Cy", "Cy dag Ada bo"),
        (f"{SHIP}:since", "dag bo Ada Cy", "Cy Ada bo dag"),
        (f"{ENT}:department", "Cy dag Ada bo", "dag Ada bo Cy"),
        ("meta.created", "dag Ada bo Cy", "Cy bo Ada dag"),
    ],
)
def test_resources_are_sorted(people, sort_by, ascending, descending):
    assert names(people.query("/Users", sortBy=sort_by)) == ascending
    assert names(people.query("/Users", sortBy=sort_by, sortOrder="ascending")) == ascending
    last = names(people.query("/Users", sortBy=sort_by, sortOrder="descending"))
    if sort_by in {"name.familyName", f"{ENT}:department"}:
        # two or more have no value: they come first, in an order that is not said
        without = 2 if sort_by == "name.familyName" else 3
        assert set(last.split()[:without]) == set(descending.split()[:without])
        assert last.split()[without:] == descending.split()[without:]
    else:
        assert last == descending


def test_pages_are_cut_from_the_sorted_result(people):
    pages = [names(people.query("/Users", sortBy="userName", startIndex=n, count=1)) for n in (1, 2, 3, 4)]
    assert pages == ["Ada", "bo", "Cy", "dag"]


@pytest.mark.parametrize("sort_by", ["userName", "title"])
@pytest.mark.parametrize("page", [{"count": 0}, {"count": 1, "startIndex": 4}, {"count": 5, "startIndex": 9}])
def test_every_page_has_the_total(people, sort_by, page):
    answer = people.query("/Users", sortBy=sort_by, **page).body
    assert (answer["totalResults"], answer["itemsPerPage"]) == (4, 1 if page.get("startIndex") == 4 else 0)


def test_filtered_results_are_sorted(people):
    answer = people.query("/Users", filter="emails pr", sortBy="userName", sortOrder="descending")
    assert names(answer) == "dag bo Ada"


def test_search_results_are_sorted(people):
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "sortBy": "userName",
        "sortOrder": "descending",
    }
    assert names(people.post("/Users/.search", body)) == "dag Cy bo Ada"
