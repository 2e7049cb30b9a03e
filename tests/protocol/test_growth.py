"""Counted work grows at most with n log n of each dimension of a request.

A request is sent in three sizes, n, 2n and 4n, to otherwise equal services. Its steps are counted in another process
(tests/growth). From the differences between sizes, the fixed cost of a request drops out: they double if the work is
linear, and quadruple if it is quadratic.
"""

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.growth.meter import BUDGET, counting
from tests.support.urns import ENT, GROUP, PATCH_OP, USER

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
pytestmark = pytest.mark.long  # half a minute of CPU

few = settings(max_examples=3, deadline=None)


@pytest.fixture(scope="module")
def meter():
    with counting() as meter:
        yield meter


def post(path, body, **more):
    return {"method": "POST", "path": path, "body": body, **more}


def patch(path, *operations):
    return {"method": "PATCH", "path": path, "body": {"schemas": [PATCH_OP], "Operations": list(operations)}}


def user(**attributes):
    return post("/Users", {"schemas": [USER], "userName": "user", **attributes}, keep="user")


def users(n):
    return [user(userName=f"user{number}") for number in range(n)]


def search(filter):
    return post("/Users/.search", {"schemas": [SEARCH], "filter": filter})


def get(path, **headers):
    return {"method": "GET", "path": path, "headers": headers}


TERMS = ["id pr", "title pr", 'title eq "a"', 'groups.value eq "a"', 'emails[type eq "a"]', 'userName co "zz"']


@few
@given(st.sampled_from(TERMS), st.sampled_from(["and", "or"]))
def test_terms(meter, term, word):
    directory = users(3)
    meter.grows_at_most_n_log_n(lambda n: (search(f" {word} ".join([term] * n)), directory), 50)


@pytest.mark.parametrize("term", ["id pr", 'groups.value eq "a"'])
def test_terms_by_documents(meter, term):
    word, last = ("and", "and title pr") if term.endswith("pr") else ("or", "")  # so that every term is looked at
    meter.grows_at_most_n_log_n(lambda n: (search(f" {word} ".join([term] * n) + f" {last}"), users(n)), 40)


def in_groups(number):
    """Return the requests that create a user, and so many groups with the user as a member."""
    groups = [
        post("/Groups", {"schemas": [GROUP], "displayName": f"g{n}", "members": [{"value": "{user}"}]})
        for n in range(number)
    ]
    return [user(), *groups]


def test_a_term_with_a_derived_attribute_costs_what_one_with_a_stored_attribute_does(meter):
    def steps(name, n):
        return meter.measure(search(" or ".join(f'{name} eq "{number}"' for number in range(n))), in_groups(40))[1]

    steps("groups.display", 1)
    steps("emails.display", 1)
    derived, stored = (steps(name, 100) - steps(name, 50) for name in ("groups.display", "emails.display"))
    assert derived <= 1.5 * stored  # 40 values are compared, and none is derived again


pieces = st.text(st.sampled_from('"\\ ()[].:a1-_$/%,'), min_size=1, max_size=3)
starts = st.sampled_from(['userName eq "', 'userName eq "a" and ', 'emails[type eq "', "userName ", "(", ""])


@settings(max_examples=8, deadline=None)
@given(starts, pieces)
def test_text_of_a_filter(meter, start, piece):
    meter.grows_at_most_n_log_n(lambda n: (search(start + piece * n), users(1)), 60)


def test_an_unclosed_string(meter):
    meter.grows_at_most_n_log_n(lambda n: (search('userName eq "' + r"\"" * n), users(1)), 50)
    meter.grows_at_most_n_log_n(lambda n: (search("userName eq" + ' "\\"' * n), users(1)), 50)


@settings(max_examples=8, deadline=None)
@given(starts, pieces, st.sampled_from(["add", "replace", "remove"]))
def test_text_of_a_path(meter, start, piece, op):
    path = start.replace(" eq ", "[value eq ") if start.startswith("user") else start

    def make(n):
        return patch("/Users/{user}", {"op": op, "path": path + piece * n, "value": "v"}), users(1)

    meter.grows_at_most_n_log_n(make, 60)


ELEMENTS = {
    "one value": lambda n: {"value": "same", "type": f"t{n}"},
    "values": lambda n: {"value": f"v{n}", "type": "work"},
    "no value": lambda n: {"type": f"t{n}", "display": f"d{n}"},
}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_elements(meter, kind):
    def make(n):
        some = [ELEMENTS[kind](number) for number in range(n)]
        return patch("/Users/{user}", {"op": "add", "path": "emails", "value": some}), [user(emails=some)]

    meter.grows_at_most_n_log_n(make, 50)


@pytest.mark.parametrize("kind", ELEMENTS)
def test_operations_by_elements(meter, kind):
    def make(n):
        some = [ELEMENTS[kind](number) for number in range(n)]
        operations = [{"op": "add", "path": "emails", "value": [one]} for one in some]
        return patch("/Users/{user}", *operations), [user(emails=some)]

    meter.grows_at_most_n_log_n(make, 50)


@pytest.mark.parametrize("op", ["add", "remove", "replace"])
def test_operations(meter, op):
    operation = {"op": op, "path": 'emails[type eq "work"].value', "value": "v"}
    before = [user(emails=[{"type": "work", "value": "w"}])]
    meter.grows_at_most_n_log_n(lambda n: (patch("/Users/{user}", *[operation] * n), before), 25)


def group(members):
    return post("/Groups", {"schemas": [GROUP], "displayName": "g", "members": members}, keep="group")


def test_members(meter):
    def make(n):
        some = [{"value": f"m{number}"} for number in range(n)]
        return patch("/Groups/{group}", {"op": "add", "path": "members", "value": some}), [group(some[::2])]

    meter.grows_at_most_n_log_n(make, 50)


def test_selections_by_members(meter):
    """The product of selections and members has a budget."""
    remove = [{"op": "remove", "path": f'members[display co "x{number}"]'} for number in range(200)]
    before = [group([{"value": f"m{number}"} for number in range(2_000)])]
    status, steps = meter.measure(patch("/Groups/{group}", *remove), before, BUDGET)
    assert status, f"stopped after {steps} steps"
    assert status < 500


@few
@given(st.sampled_from(['"', "/", '"members[value eq "', "bulkId:"]))
def test_mentions_in_a_bulk_request(meter, between):
    def make(n):
        new = {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"schemas": [USER], "userName": "b"}}
        data = {"schemas": [PATCH_OP], "Operations": [{"op": "remove", "path": f"{between}bulkId:a" * n}]}
        return post(
            "/Bulk",
            {"schemas": [BULK], "Operations": [new, {"method": "PATCH", "path": "/Users/{user}", "data": data}]},
        ), users(1)

    meter.grows_at_most_n_log_n(make, 60)


def test_operations_of_a_bulk_request(meter):
    def make(n):
        members = [{"value": f"bulkId:{number}"} for number in range(n)]
        new = [
            {"method": "POST", "path": "/Users", "bulkId": str(number), "data": {"userName": f"b{number}"}}
            for number in range(n)
        ]
        whole = {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "g", "members": members}}
        return post("/Bulk", {"schemas": [BULK], "Operations": [whole, *new]}), ()

    meter.grows_at_most_n_log_n(make, 20)


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("not (", ")")])
def test_nesting_of_a_filter(meter, opening, closing):
    meter.grows_at_most_n_log_n(lambda n: (search(opening * n + "title pr" + closing * n), users(1)), 12)


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_nesting_of_a_body(meter, opening, closing):
    def make(n):
        data = f'{{"userName":"deep","emails":{opening * n}1{closing * n}}}'
        return {"method": "POST", "path": "/Users", "data": data}, ()

    meter.grows_at_most_n_log_n(make, 100)
    meter.grows_at_most_n_log_n(make, 12)


@pytest.mark.parametrize(
    "make_body",
    [
        lambda n: {"userName": "u", **{f"unknown{number}": 1 for number in range(n)}},
        lambda n: {"userName": "u", "schemas": [USER, *(f"urn:x:{number}" for number in range(n))]},
        lambda n: {"userName": "u", **{f"urn:x:{number}": {"a": 1} for number in range(n)}},
        lambda n: {"userName": "u", ENT: {f"unknown{number}": 1 for number in range(n)}},
        lambda n: {"userName": "u", "roles": [{"value": json.dumps({"value": "x" * n})}]},
    ],
    ids=["unknown names", "schemas", "URNs", "unknown names of an extension", "a role"],
)
def test_names(meter, make_body):
    meter.grows_at_most_n_log_n(lambda n: (post("/Users", make_body(n)), ()), 50)


@few
@given(st.sampled_from(["userName", "title", "displayName", "timezone", "password"]), pieces)
def test_text_of_a_value(meter, name, piece):
    meter.grows_at_most_n_log_n(lambda n: (user(**{"userName": "u", name: piece * n}), ()), 200)


@few
@given(pieces)
def test_text_that_is_refused_and_advised_on(meter, piece):
    """The log's page gives advice on each failure, by the detail of the answer."""

    def make(n):
        path = f"emails[type eq {json.dumps(piece * n)}].value"
        refused = {**patch("/Users/{user}", {"op": "replace", "path": path}), "refused": True}
        return get("/panel/log"), [user(), refused]

    meter.grows_at_most_n_log_n(make, 200)


@few
@given(st.sampled_from(["attributes", "excludedAttributes", "sortBy", "unknown", "filter", "cursor"]))
def test_parameters(meter, name):
    def make(n):
        return get("/Users?" + "&".join(f"{name}=title{number}" for number in range(n))), users(2)

    meter.grows_at_most_n_log_n(make, 50)


@few
@given(
    st.sampled_from(["attributes", "excludedAttributes"]), st.sampled_from(["title", "emails.value", f"{USER}:title"])
)
def test_names_in_a_parameter(meter, name, attribute):
    def make(n):
        return get(f"/Users?{name}={quote(','.join([attribute, *(f'x{number}' for number in range(n))]))}"), users(2)

    meter.grows_at_most_n_log_n(make, 50)


HEADERS = [
    "If-Match",
    "If-None-Match",
    "Accept",
    "Prefer",
    "Authorization",
    "client-request-id",
    "Host",
    "Cookie",
    "X-Forwarded-For",
    "Content-Type",
    "Origin",
]


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(HEADERS), pieces)
def test_headers(meter, name, piece):
    meter.grows_at_most_n_log_n(lambda n: (get("/Users/{user}", **{name: piece * n}), users(1)), 200)


@few
@given(pieces)
def test_text_of_an_address(meter, piece):
    meter.grows_at_most_n_log_n(lambda n: (get("/Users/" + quote(piece * n)), ()), 200)
