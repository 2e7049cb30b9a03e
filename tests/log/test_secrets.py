"""What never gets into the log, wherever it stands in a request."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.urns import PATCH_OP

SECRET = "Hush-{}-hush"
VAULT = {
    "id": "urn:ietf:params:scim:schemas:extension:contoso:2.0:User",
    "name": "ContosoUser",
    "extends": "User",
    "attributes": [
        {"name": "badge", "type": "string"},
        {"name": "pin", "type": "string", "returned": "never", "mutability": "writeOnly"},
        {"name": "expiry", "type": "dateTime", "returned": "never", "mutability": "writeOnly"},
        {
            "name": "doors",
            "type": "complex",
            "multiValued": True,
            "subAttributes": [
                {"name": "value", "type": "string"},
                {"name": "code", "type": "string", "returned": "never"},
            ],
        },
    ],
}
URN = VAULT["id"]
NAMES = st.sampled_from(
    [
        *("password", "PASSWORD", "Password", "urn:ietf:params:scim:schemas:core:2.0:User:password", "pin", "Pin"),
        *(f"{URN}:pin", f"{URN}:PIN", f"{URN}.pin", f"{URN}:expiry", f"{URN}:doors.code", "doors.code"),
        *("client_secret", "access_token", "Authorization", 'doors[value eq "front"].code', "name.password"),
    ]
)
SECRETS = st.integers(0, 10**6).map(SECRET.format)
VALUES = SECRETS | SECRETS.map(lambda one: [one]) | SECRETS.map(lambda one: {"value": one})


@st.composite
def creations(draw: st.DrawFn) -> Any:
    body: dict[str, Any] = {"userName": draw(st.sampled_from(["ann", "taken", 3, None]))}
    body |= draw(st.dictionaries(NAMES, VALUES, max_size=3))
    body |= draw(st.fixed_dictionaries({}, optional={URN: extensions(), "name": st.dictionaries(NAMES, VALUES)}))
    body |= draw(st.fixed_dictionaries({}, optional={"roles": st.lists(roles(), max_size=2)}))
    return "POST", "/Users", body


def extensions() -> st.SearchStrategy[Any]:
    doors = st.lists(st.fixed_dictionaries({"value": st.just("front"), "code": SECRETS}), max_size=2)
    return st.fixed_dictionaries({}, optional={"badge": st.just("7"), "pin": VALUES, "expiry": VALUES, "doors": doors})


def roles() -> st.SearchStrategy[Any]:
    return SECRETS.map(lambda one: {"value": json.dumps({"value": "admin", "password": one})})


@st.composite
def patches(draw: st.DrawFn) -> Any:
    operations = draw(st.lists(with_path() | without_path() | selecting(), min_size=1, max_size=3))
    return "PATCH", "/Users/{id}", {"schemas": [PATCH_OP], "Operations": operations}


def with_path() -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"op": ops(), "path": NAMES, "value": VALUES})


def without_path() -> st.SearchStrategy[Any]:
    values = st.dictionaries(NAMES, VALUES) | extensions().map(lambda one: {URN: one})
    return st.fixed_dictionaries({"op": ops(), "value": values})


def selecting() -> st.SearchStrategy[Any]:
    forms = ['doors[code eq "{}"].code', 'password eq "{}"', 'x[password eq "{}"', "pin eq {}", 'doors[code eq "{}"]']
    paths = st.builds(str.format, st.sampled_from(forms), SECRETS)
    every = st.fixed_dictionaries({"op": ops(), "path": paths | paths.map(lambda one: f"{URN}:{one}"), "value": VALUES})
    # A value of a readable attribute is not a secret, even beside one.
    beside = SECRETS.map('doors[code eq "{}"].value'.format)
    return every | st.fixed_dictionaries({"op": ops(), "path": beside, "value": st.just("front")})


@st.composite
def searches(draw: st.DrawFn) -> Any:
    form = draw(st.sampled_from(['password broken "{}"', "pin eq '{} {}", 'password eq "{}" and (']))
    filter = form.format(draw(SECRETS), draw(SECRETS))
    return "POST", "/Users/.search", {"filter": filter}


def ops() -> st.SearchStrategy[str]:
    return st.sampled_from(["add", "Replace", "remove", "wrong"])


@pytest.fixture
def vault(make_logged):
    logged = make_logged(schemas=[VAULT])
    logged.scim.create_user(userName="taken")
    return logged


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=creations() | patches() | searches())
def test_no_secret_gets_in_by_any_request(vault, request):
    vault.path.unlink(missing_ok=True)
    user = vault.scim.create_user()
    method, path, body = request
    vault.scim.request(method, path.format(id=user["id"]), body)
    vault.log.flush()
    written = vault.path.read_text()
    assert "hush" not in written.casefold()
    assert "ontoso.example" in written


def test_a_never_returned_value_is_not_in_the_response(make_logged):
    logged = make_logged(schemas=[VAULT])
    answer = logged.scim.post("/Users", {"userName": "ann", URN: {"expiry": "Hush"}})
    user = logged.scim.create_user()
    refused = logged.scim.patch_op(f"/Users/{user['id']}", {"op": "add", "path": f"{URN}:expiry", "value": "Hush"})
    assert (answer.status, refused.status) == (201, 400)
    entry = logged.last()
    assert entry.response["detail"] == "(left out)"
    assert entry.request["Operations"][0] == {"op": "add", "path": f"{URN}:expiry", "value": "(left out)"}


@pytest.mark.parametrize(("password", "detail"), [("x", 'Another User has the userName "max".'), ("max", "(left out)")])
def test_a_short_secret_hides_an_answer_only_where_it_is_a_word(logged, password, detail):
    for _ in range(2):
        logged.scim.post("/Users", {"userName": "max", "password": password})
    assert logged.last().response["detail"] == detail


def test_tokens_are_left_out_wherever_they_were_pasted(logged):
    token = logged.scim.token
    logged.scim.create_user(title=f"Bearer {token}")
    logged.scim.post("/Users", {"userName": token, "emails": token})
    logged.scim.get(f"/Users/{token}")
    logged.scim.get("/Users", {"Authorization": "Bearer tscim_of_somebody_else"})
    logged.scim.get(f"/Users?access_token={token}&filter=broken")
    assert len(logged.entries()) == 5
    assert "tscim_" not in logged.path.read_text()


def test_words_about_secrets_are_no_secrets(logged):
    logged.scim.create_user(title="Password administrator", displayName="Token Team")
    assert logged.last().changes["title"] == [None, "Password administrator"]
    assert logged.last().request["displayName"] == "Token Team"


def test_an_attribute_that_may_be_read_is_logged_whatever_it_is_called(make_logged):
    table = {**VAULT, "attributes": [{"name": "token", "type": "string"}]}
    logged = make_logged(schemas=[table])
    logged.scim.create_user(**{URN: {"token": "visitor"}})
    assert logged.last().changes[f"{URN}:token"] == [None, "visitor"]


@pytest.mark.parametrize("depth", [10, 200])
def test_deep_requests_do_no_harm(logged, depth):
    value: Any = "Hush"
    for _ in range(depth):
        value = {"password" if depth == 10 else "x": value}
    logged.scim.post("/Users", {"userName": "ann", "unknown": value})
    assert len(logged.entries()) == 1


LARGE = {
    "a text": "x" * 2_001,
    "a list": [1] * 1_001,
    "depth": [[[[[[[[[[[[[[[["deep"]]]]]]]]]]]]]]]],
}


@pytest.mark.parametrize("large", LARGE)
def test_what_is_large_is_cut_also_where_nothing_is_secret(logged, large):
    logged.scim.create_user(title="y" * 1_500, unknown=LARGE[large])
    assert LARGE[large] != logged.last().request["unknown"]
    assert len(logged.last().request["title"]) == 1_500
