"""Laws that hold for every query and change, whatever the index, the order or the form that served it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.tinydb_store import TinyDBStore
from tests.support.urns import ENT, USER

some = settings(max_examples=60, deadline=None)

TYPES = ["work", "home", "other"]
PEOPLE = [
    {
        "userName": f"{'Abcdefghij'[n]}@contoso.example",
        "externalId": f"{'xX'[n % 2]}-{n // 2}",
        **({"title": ["Mate", "mate", "Cook", "a b", 'q"q'][n % 5]} if n % 3 else {}),
        **({"active": n % 4 == 1} if n % 2 else {}),
        "name": {"givenName": "GhIg"[n % 4], **({"familyName": "Vik"} if n % 3 == 1 else {})},
        "emails": [{"type": TYPES[(n + m) % 3], "value": f"{n}@{m}.example", "primary": m == 1} for m in range(n % 3)],
        **({ENT: {"department": "Dock" if n % 2 else "dock", "employeeNumber": str(n)}} if n > 5 else {}),
    }
    for n in range(10)
]


INDEXED = ["title", "name.givenName", "emails.value", "emails.type", f"{ENT}:department"]


@pytest.fixture(scope="module")
def people(make_scim, tmp_path_factory):
    """The client, all ids in order of creation, and a group of some and of one who is unknown."""
    store = TinyDBStore(tmp_path_factory.mktemp("laws") / "data.json", durability="os")
    scim = make_scim(directory={"indexed_attributes": INDEXED}, store=store)
    ids = [scim.create_user(**person)["id"] for person in PEOPLE]
    for n in (7, 8):
        manager = {"op": "add", "path": f"{ENT}:manager", "value": ids[0]}
        scim.patch_op(f"/Users/{ids[n]}", manager)
    scim.create_group(displayName="Crew", members=[{"value": id} for id in [*ids[:4], "unknown"]])
    return scim, ids


strings = {
    "userName": ["A@contoso.example", "a@CONTOSO.example", "b"],
    "externalId": ["x-0", "X-0", "X-1"],
    "title": ["Mate", "COOK", "a b"],
    "name.givenName": ["g", "I"],
    "emails": ["3@0.example", "example"],
    "emails.type": ["work", "HOME"],
    "groups.display": ["crew"],
    f"{ENT}:department": ["dock"],
    f"{USER}:userName": ["c@contoso.example"],
    "schemas": [ENT],
    "meta.resourceType": ["User", "Group"],
}
operators = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
terms = st.one_of(
    st.sampled_from(sorted(strings)).flatmap(
        lambda name: st.builds('{} {} "{}"'.format, st.just(name), operators, st.sampled_from(strings[name]))
    ),
    st.builds("{} pr".format, st.sampled_from([*sorted(strings), "name", "active", "groups", f"{ENT}:manager"])),
    st.sampled_from(["active eq true", "active ne false", "title eq null", "title ne null", "emails eq null"]),
    st.builds(
        'emails[type {} "{}" {} primary eq {}]'.format,
        st.sampled_from(["eq", "ne", "sw"]),
        st.sampled_from(TYPES),
        st.sampled_from(["and", "or", "and not"]).map(lambda word: word.replace("and not", "and value pr and")),
        st.sampled_from(["true", "false"]),
    ),
)
filters = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


@some
@given(filters, filters)
def test_filters_obey_logic(people, one, other):
    scim, ids = people
    first, second = set(scim.found("/Users", one)), set(scim.found("/Users", other))
    assert set(scim.found("/Users", f"not ({one})")) == set(ids) - first
    assert set(scim.found("/Users", f"not (not ({one}))")) == first
    assert set(scim.found("/Users", f"({one}) and ({other})")) == first & second
    assert set(scim.found("/Users", f"({one}) or ({other})")) == first | second


@some
@given(terms, terms, terms)
def test_and_binds_before_or(people, a, b, c):
    scim, _ = people
    first, second, third = (set(scim.found("/Users", term)) for term in (a, b, c))
    assert set(scim.found("/Users", f"{a} or {b} and {c}")) == first | second & third
    assert set(scim.found("/Users", f"{a} and {b} or {c}")) == first & second | third
    assert set(scim.found("/Users", f"not ({a}) and {b} or {c}")) == second - first | third


@some
@given(filters)
def test_names_and_keywords_have_no_case(people, filter):
    scim, _ = people
    parts = filter.split('"')
    parts[::2] = [part.swapcase() for part in parts[::2]]
    assert scim.found("/Users", '"'.join(parts)) == scim.found("/Users", filter)


@some
@given(filters)
def test_url_search_and_root_find_the_same(people, filter):
    scim, ids = people
    found = scim.found("/Users", filter)
    assert [id for id in ids if id in found] == found
    for path in ("/Users", ""):
        body = {"filter": f'({filter}) and meta.resourceType eq "User"', "attributes": ["id"]}
        assert [one["id"] for one in scim.post(f"{path}/.search", body).body["Resources"]] == found


sorts = st.sampled_from(["", "userName", "externalId", "title", "name.givenName", "emails", "active", "meta.created"])


@some
@given(filters, sorts, st.sampled_from(["ascending", "descending"]), st.integers(1, 4), st.booleans())
def test_pages_are_pages_of_the_whole(people, filter, sort, order, count, cursors):
    scim, _ = people
    query = {"filter": filter, **({"sortBy": sort, "sortOrder": order} if sort else {})}
    whole = [one["id"] for one in scim.query("/Users", **query).body["Resources"]]
    seen, place = [], {"cursor": ""} if cursors else {"startIndex": 1}
    while place:
        page = scim.query("/Users", **query, **place, count=count).body
        assert page["totalResults"] == len(whole)
        seen += [one["id"] for one in page["Resources"]]
        if cursors:
            place = {"cursor": page["nextCursor"]} if "nextCursor" in page else None
        else:
            place = {"startIndex": len(seen) + 1} if page["Resources"] else None
    assert seen == whole


def flatten(resource):
    for name, value in resource.items():
        if name.startswith("urn:"):
            yield from ((f"{name}:{sub}", each) for sub, each in value.items())
        elif isinstance(value, dict):
            yield from ((f"{name}.{sub}", each) for sub, each in value.items())
        else:
            yield name, value


texts = st.sampled_from(["a", "B c", "é", "1", "true", "a.b"])
changes = st.fixed_dictionaries(
    {},
    optional={
        "title": texts,
        "displayName": texts,
        "active": st.booleans(),
        "name": st.dictionaries(st.sampled_from(["givenName", "familyName", "formatted"]), texts, min_size=1),
        "phoneNumbers": st.lists(
            st.builds(lambda type, value: {"type": type, "value": value}, st.sampled_from(TYPES), texts),
            min_size=1,
            max_size=3,
            unique_by=lambda one: (one["type"], one["value"]),
        ),
        ENT: st.dictionaries(st.sampled_from(["department", "division", "costCenter"]), texts, min_size=1),
    },
)


def shown(scim, path):
    return {name: value for name, value in scim.read(path).items() if name not in {"id", "meta", "userName"}}


@some
@given(changes, changes)
def test_every_form_of_a_change_comes_to_the_same(people, first, second):
    scim, _ = people
    flat = dict(flatten(second))
    forms = [
        [
            {"op": "Replace", "path": name, "value": str(value) if value in (True, False) else value}
            for name, value in flat.items()
        ],
        [{"op": "replace", "value": second}],
        [{"op": "replace", "value": flat}],
        [{"op": "remove", "path": name} for name in flat] + [{"op": "add", "value": second}],
    ]
    results = []
    for operations in forms:
        path = f"/Users/{scim.create_user(**first)['id']}"
        assert scim.patch_op(path, *operations).status == 200
        results.append(shown(scim, path))
        assert scim.put(path, scim.read(path)).status == 200
        assert shown(scim, path) == results[-1]
        scim.delete(path)
    assert results[1:] == results[:-1]
