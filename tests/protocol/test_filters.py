"""Filters (RFC 7644 section 3.4.2.2): which of eight users, named by their first letters, each finds."""

import json

import pytest

from scim.filters import And, Compare, Not, Or, ValuePath, parse_filter
from storage.tinydb_store import TinyDBStore
from tests.support.filtered_users import INDEXED, PEOPLE, SHIP, SHIP_SCHEMA
from tests.support.urns import ENT, USER


@pytest.fixture(scope="module", params=[[], INDEXED], ids=["few indexes", "many indexes"])
def people(make_scim, request):
    """The client, and the ids by first letter; amy and bob are the members of Crew."""
    scim, ids = make_scim(schemas=[SHIP_SCHEMA], directory={"indexed_attributes": request.param}), {}
    for person in PEOPLE:
        if person.get(ENT, {}).get("manager"):
            person = {**person, ENT: {**person[ENT], "manager": {"value": ids["a"]}}}
        ids[person["userName"][0].lower()] = scim.create_user(**person)["id"]
    scim.create_group(displayName="Crew", members=[{"value": ids["a"]}, {"value": ids["b"]}])
    return scim, ids


FILTERS = [
    # each operator on a string that is not caseExact
    ('title eq "PILOT"', "ab"),
    ('title pr and title ne "pilot"', "de"),
    ('title co "IL"', "ab"),
    ('title sw "pi"', "ab"),
    ('title ew "AIN"', "d"),
    ('title gt "mate"', "ab"),
    ('title ge "MATE"', "abe"),
    ('title lt "Mate"', "d"),
    ('title le "mate"', "de"),
    ("title pr", "abde"),
    # a caseExact string
    (f'{SHIP}:code eq "abc"', "b"),
    (f'{SHIP}:code ne "abc" and {SHIP}:code pr', "a"),
    (f'{SHIP}:code co "BC"', ""),
    (f'{SHIP}:code sw "A"', "a"),
    ('externalId eq "dan-1"', "d"),
    ('externalId sw "DAN"', "e"),
    # names and keywords in any case
    ('TITLE Eq "pilot" AND ACTIVE eq True', "a"),
    ("title PR Or NOT (userType pr)", "abdefgh"),
    ('EMAILS[TYPE EQ "work" aNd VALUE Co "fabrikam"]', "b"),
    # precedence and grouping
    ('title eq "mate" or userType eq "Employee" and active eq true', "ae"),
    ('userType eq "Employee" and active eq true or title eq "mate"', "ae"),
    ('(title eq "mate" or userType eq "Employee") and active eq true', "a"),
    ("not (title pr) and userType pr", "c"),
    ("not (title pr and userType pr)", "cdefgh"),
    ('not(title pr) and not (userType eq "employee")', "fgh"),
    ('((title eq "mate"))', "e"),
    ("title pr and not (active pr) and externalId pr", "de"),
    ('userName sw "a" or userName sw "b" or userName sw "c"', "abc"),
    # booleans
    ("active eq true", "ag"),
    ("active eq false", "b"),
    ("active pr and active ne true", "b"),
    ('active eq "True"', "ag"),
    (f"{SHIP}:vip eq true", "a"),
    # numbers, by their value
    (f"{SHIP}:level eq 2", "b"),
    (f"{SHIP}:level eq 2.0", "b"),
    (f"{SHIP}:level eq 1e1", "c"),
    (f"{SHIP}:level gt 1", "bc"),
    (f"{SHIP}:level ge 1", "abc"),
    (f"{SHIP}:level lt 0", "d"),
    (f"{SHIP}:level le -3", "d"),
    (f"{SHIP}:ratio gt 0.5", "b"),
    (f"{SHIP}:ratio le 0.50", "a"),
    # dateTimes, as instants in any offset
    (f'{SHIP}:since eq "2020-01-01T00:00:00Z"', "ab"),
    (f'{SHIP}:since eq "2019-12-31T19:00:00-05:00"', "ab"),
    (f'{SHIP}:since eq "2020-01-01T00:00:00.000+00:00"', "ab"),
    (f'{SHIP}:since gt "2020-01-01T00:30:00+01:00"', "abd"),
    (f'{SHIP}:since lt "2020-01-01T00:30:00-01:00"', "ab"),
    (f'{SHIP}:since ge "2021-06-01T12:30:00.250Z"', "d"),
    (f'{SHIP}:since gt "2021-06-01T12:30:00.2Z"', "d"),
    (f'{SHIP}:since gt "2021-06-01T12:30:00.25Z"', ""),
    ('meta.created gt "2001-01-01T00:00:00Z"', "abcdefgh"),
    ('meta.lastModified le "2001-01-01T00:00:00Z"', ""),
    # a binary attribute has eq and pr
    (f'{SHIP}:badge eq "AAEC"', "c"),
    (f"{SHIP}:badge pr", "c"),
    # null
    ("title eq null", "cfgh"),
    ("title ne null", "abde"),
    ("emails eq null", "dfgh"),
    ("name.givenName ne null", "ag"),
    # presence of complex attributes and of their parts
    ("name pr", "afg"),
    ("name.familyName pr", "af"),
    ("emails pr", "abce"),
    (f"{ENT}:manager pr", "g"),
    # multi-valued attributes: any value, the sub-attribute "value" by default
    ('emails co "contoso"', "ac"),
    ('emails.value co "contoso"', "ac"),
    ('emails eq "BOB@fabrikam.example"', "b"),
    ('emails.type eq "home"', "ac"),
    ('emails pr and emails.type ne "work"', "ace"),
    ("emails.primary eq true", "a"),
    (f'{SHIP}:tags eq "red"', "c"),
    (f'{SHIP}:tags co "BLU"', "c"),
    ('phoneNumbers eq "2"', "h"),
    # value paths hold within one value
    ('emails[type eq "work"]', "ab"),
    ('emails[type eq "work" and value co "home"]', ""),
    ('emails.type eq "work" and emails.value co "home"', "a"),
    ('emails[type eq "home" or value ew "fabrikam.example"]', "abce"),
    ('emails[not (type eq "work")]', "ace"),
    ('emails[(type eq "work" or type eq "other") and value co "fabrikam"]', "be"),
    ("emails[primary eq true]", "a"),
    ('emails[type eq "work"] and not (emails[type eq "home"])', "b"),
    ('userType eq "Employee" and emails[type eq "home" and value co "@contoso"]', "c"),
    ("emails[value pr]", "abce"),
    # URNs
    (f'{USER}:userName eq "AMY@contoso.example"', "a"),
    (f'{USER}:name.familyName eq "o\'malley"', "f"),
    (f'{USER}:emails[type eq "other"]', "e"),
    (f'{USER.upper()}:title eq "mate"', "e"),
    (f'{ENT}:department sw "dock"', "gh"),
    (f'{ENT.upper()}:EmployeeNumber eq "7"', "h"),
    (f'schemas eq "{ENT}"', "gh"),
    (f'schemas eq "{SHIP}"', "abcd"),
    # literals
    (r'displayName eq "åse \"the \\ line\""', "f"),
    (r'displayName sw "\u00c5SE"', "f"),
    ('name.familyName co "\'"', "f"),
    ("externalId eq dan-1", "d"),
    (f"{ENT}:employeeNumber eq 7", "h"),
    ("meta.resourceType eq User", "abcdefgh"),
    ('meta.resourceType eq "Group"', ""),
    # derived values
    ('groups.display eq "crew"', "ab"),
    ("groups pr", "ab"),
    (f'{ENT}:manager.displayName eq "amy b"', "g"),
    ("not (groups pr) and active eq true", "g"),
    # everybody, nobody
    ("userName pr", "abcdefgh"),
    ("id pr", "abcdefgh"),
    ('userName eq "amy"', ""),
    ('password eq "secret"', ""),
]


@pytest.mark.parametrize(("filter", "expected"), FILTERS)
def test_filter_finds(people, filter, expected):
    scim, ids = people
    found = scim.found("/Users", filter)
    assert "".join(letter for letter in ids if ids[letter] in found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("start", [0, 1, 2, 3, 10**6])
def test_what_an_index_finds_comes_in_pages(people, start):
    scim, ids = people
    answer = scim.query("/Users", filter='title eq "PILOT"', startIndex=start, count=1).body
    listed = {0: "a", 1: "a", 2: "b"}.get(start, "")
    assert [one["id"] for one in answer["Resources"]] == [ids[letter] for letter in listed]
    assert (answer["totalResults"], answer["itemsPerPage"]) == (2, len(listed))


@pytest.mark.parametrize("name", [f"{ENT}:manager", f"{ENT}:manager.value", "manager", "groups", "id"])
def test_filter_by_the_id_of_another_resource(people, name):
    scim, ids = people
    group = scim.found("/Groups", 'displayName eq "Crew"')[0]
    sought = {"id": ids["g"], "groups": group}.get(name, ids["a"])
    expected = [ids["a"], ids["b"]] if name == "groups" else [ids["g"]]
    assert scim.found("/Users", f'{name} eq "{sought}"') == expected


INVALID = [
    " ",
    "title",
    "title eq",
    'eq "x"',
    'title eq "x',
    'title eq x"',
    'title like "x"',
    'title eq "x" and',
    "and title pr",
    "(title pr",
    "title pr)",
    "()",
    "not title pr",
    "not",
    "title pr title pr",
    "title pr and or title pr",
    'title pr "x"',
    'emails[type eq "work"',
    'emails type eq "work"]',
    "emails[]",
    'emails[type eq "work" and emails[value pr]]',
    'emails[type eq "work"].value',
    'title eq {"a": 1}',
    'title eq ["x"]',
    r'title eq "\x"',
    '1title eq "x"',
    "active gt true",
    "active le false",
    f"{SHIP}:vip lt true",
    f'{SHIP}:badge gt "AAEC"',
    f'{SHIP}:since gt "yesterday"',
    f'{SHIP}:since eq "yesterday"',
    f'{SHIP}:level gt "tall"',
    'active eq "perhaps"',
    'title eq "x" && title pr',
    'title = "x"',
]


@pytest.mark.parametrize("filter", INVALID)
def test_invalid_filter_is_refused(people, filter):
    scim, _ = people
    answer = scim.query("/Users", filter=filter)
    assert (answer.status, answer.body.get("scimType")) == (400, "invalidFilter")


def test_detail_says_that_the_operator_is_unknown(people):
    scim, _ = people
    assert "operator" in scim.query("/Users", filter='title resembles "x"').body["detail"]


def test_attributes_of_another_resource_type_are_absent_at_the_root(people):
    scim, ids = people
    answer = scim.post(
        "/.search",
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": '(userName sw "amy") or (displayName eq "crew" and not (userName pr))',
        },
    )
    assert answer.status == 200
    kinds = [(found["meta"]["resourceType"], found["id"] == ids["a"]) for found in answer.body["Resources"]]
    assert kinds == [("User", True), ("Group", False)]


@pytest.mark.parametrize(
    "form",
    [
        "title eq {} and (nickName eq {} or not (userName co {}))",
        "emails[type eq {} and value sw {}] or active eq true and title ne {}",
        "emails[type eq {}].value eq {} and externalId eq jyoung and title gt {}",
    ],
)
def test_filters_of_the_same_form_keep_their_own_strings(form):
    for strings in (["a", 'b" or "c', ""], ["\\", "é", "(not a mark]"], ["2", "1", "3"]):
        tree = parse_filter(form.format(*map(json.dumps, strings)))
        assert list(strings_in(tree)) == strings


def strings_in(tree):
    match tree:
        case Compare(_, _, str(value), ""):
            yield value
        case And(parts) | Or(parts):
            for part in parts:
                yield from strings_in(part)
        case Not(part):
            yield from strings_in(part)
        case ValuePath(_, filter, rest):
            yield from strings_in(filter)
            yield from strings_in(rest)


def test_a_user_name_is_the_same_however_its_accents_are_composed(make_scim):
    scim = make_scim()
    composed, apart = "jos\u00e9@contoso.example", "JOSE\u0301@contoso.example"
    id = scim.create_user(userName=composed)["id"]
    assert scim.found("/Users", f'userName eq "{apart}"') == scim.found("/Users", f'userName sw "{apart[:6]}"') == [id]
    assert scim.post("/Users", {"schemas": [USER], "userName": apart}).status == 409
    assert scim.read(f"/Users/{id}")["userName"] == composed


def test_an_attribute_that_has_become_text_is_no_number_that_was_stored(make_scim, tmp_path):
    def served(type, store):
        attribute = {"name": "badge", "type": type}
        schema = {"id": SHIP, "name": "Ship", "extends": "User", "attributes": [attribute]}
        return make_scim(schemas=[schema], directory={"indexed_attributes": [f"{SHIP}:badge"]}, store=store)

    before, after = (TinyDBStore(tmp_path / "data.json") for _ in range(2))
    served("integer", before).create_user(userName="old", **{SHIP: {"badge": 5}})
    before.close()
    scim = served("string", after)
    new = scim.create_user(**{SHIP: {"badge": "5"}})["id"]
    for filter in ("{} eq", "{} co", "userName pr and {} eq", "userName pr and {} sw"):
        assert scim.found("/Users", filter.format(f"{SHIP}:badge") + ' "5"') == [new]
    after.close()
