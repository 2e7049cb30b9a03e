"""What comes from outside and is wrong gets a SCIM error body and loses nothing."""

import io
import json
import socket
from uuid import uuid4

import pytest

from tests.support.urns import ENT, GROUP, USER

MEGABYTES = 10 * 1024 * 1024

NO_OBJECTS = [
    b"",
    b" ",
    b"{",
    b"null",
    b"true",
    b"5",
    b'"text"',
    b"[]",
    b'[{"userName": "a"}]',
    b"{'userName': 'a'}",
    b'{"userName": "a",}',
    b'{"userName": "a"} {"userName": "b"}',
    b'{"userName": NaN}',
    b'{"userName": "a", "x": Infinity}',
    b'{"userName": "a\nb"}',
    b'{"userName": "\xff\xfe"}',
    b'{"userName": "a", "userName": "b"}',
    b'{"userName": "a", "name": {"givenName": "b", "givenName": "c"}}',
    b'{"userName": "\\ud800"}',
    b'{"userName": "a", "\\udfff": 1}',
    b'{"userName": ' + b"[" * 100_000,
    b'{"userName": "a", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"userName": "a", "x": ' + b'{"x": ' * 5000 + b"1" + b"}" * 5000 + b"}",
    "{\u201cuserName\u201d: 1}".encode(),
    '{"userName": "a"}'.encode("utf-16"),
]


@pytest.fixture
def user(scim):
    return scim.create_user(userName="vida@contoso.example")


@pytest.mark.parametrize("data", NO_OBJECTS, ids=lambda data: repr(data[:40]))
def test_body_that_is_no_json_object_is_refused(scim, user, data):
    path = f"/Users/{user['id']}"
    for method, at in (
        ("POST", "/Users"),
        ("PUT", path),
        ("PATCH", path),
        ("POST", "/.search"),
        ("POST", "/Users/.search"),
        ("POST", "/Bulk"),
    ):
        answer = scim.request(method, at, data=data)
        assert answer.status == 400, (method, at)
    assert scim.get("/Users").body["Resources"] == [user]


@pytest.mark.parametrize("data", NO_OBJECTS[:8], ids=lambda data: repr(data[:40]))
def test_body_that_is_no_json_object_is_invalid_syntax(scim, data):
    assert scim.request("POST", "/Users", data=data).body["scimType"] == "invalidSyntax"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/Users", {"userName": "a", "USERNAME": "b"}),
        ("/Users", {"userName": "a", "name": {"givenName": "b", "GivenName": "c"}}),
        ("/Users", {"userName": "a", ENT: {"division": "b"}, f"{ENT}:division": "c"}),
        ("/Users/.search", {"filter": "userName pr", "Filter": 'userName eq "a"'}),
        ("/Bulk", {"Operations": [{"method": "DELETE", "path": "/Users/1"}], "operations": []}),
    ],
)
def test_names_that_mean_one_attribute_are_there_twice(scim, user, path, body):
    answer = scim.post(path, body)
    assert (answer.status, answer.body.get("scimType")) == (400, "invalidSyntax")
    assert scim.get("/Users").body["Resources"] == [user]


WRONG_TYPES = [
    {"userName": 5},
    {"userName": True},
    {"userName": ["a"]},
    {"userName": {"value": "a"}},
    {"userName": "ok", "title": 5},
    {"userName": "ok", "title": {"a": "b"}},
    {"userName": "ok", "externalId": 5},
    {"userName": "ok", "name": "Vida"},
    {"userName": "ok", "name": ["Vida"]},
    {"userName": "ok", "name": {"givenName": 5}},
    {"userName": "ok", "emails": 5},
    {"userName": "ok", "emails": [5]},
    {"userName": "ok", "emails": [[]]},
    {"userName": "ok", "emails": [{"value": {"a": "b"}}]},
    {"userName": "ok", "emails": [{"value": "a", "primary": "perhaps"}]},
    {"userName": "ok", "active": "perhaps"},
    {"userName": "ok", ENT: "Dock"},
    {"userName": "ok", ENT: {"employeeNumber": 7}},
    {"userName": "ok", ENT: {"manager": 7}},
    {"userName": "ok", ENT: {"manager": {"value": 7}}},
    {"userName": "ok", ENT: ["Dock"], f"{ENT}:department": "Dock"},
    {"userName": "ok", ENT: [{"a": "b"}], f"{ENT}:manager": {"value": "x"}},
    {"userName": "nul\x00byte"},
    {"userName": "ok", "title": "nul\x00byte"},
    {},
    {"userName": ""},
    {"userName": None},
]


@pytest.mark.parametrize("body", WRONG_TYPES, ids=repr)
def test_values_of_a_wrong_type_are_invalid(scim, user, body):
    for answer in (scim.post("/Users", body), scim.put(f"/Users/{user['id']}", body)):
        assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
    assert scim.get("/Users").body["Resources"] == [user]


@pytest.mark.parametrize("nothing", [None, [], {}, [None], [{}, None]], ids=repr)
def test_what_holds_nothing_is_no_value(scim, nothing):
    created = scim.post("/Users", {"userName": "a", "name": nothing, "emails": nothing, ENT: {"manager": nothing}})
    assert created.status == 201
    assert not {"name", "emails", ENT} & created.body.keys()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"displayName": None},
        {"displayName": 5},
        {"displayName": "Crew", "members": True},
        {"displayName": "Crew", "members": [{"value": 5}]},
        {"displayName": "Crew", "members": [["a"]]},
        {"displayName": "Crew", "members": {"value": ["a"]}},
    ],
    ids=repr,
)
def test_group_values_of_a_wrong_type_are_invalid(scim, body):
    answer = scim.post("/Groups", {"schemas": [GROUP], **body})
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
    assert scim.get("/Groups").body["totalResults"] == 0


PARENTHESES = "(" * 3000 + "title pr" + ")" * 3000


@pytest.mark.parametrize(
    "filter",
    [PARENTHESES, "(" * 3000, "not (" * 3000, "a[" * 3000, " and ".join(["title pr"] * 5000), "x" * 60_000],
)
def test_deep_and_long_filters(scim, user, filter):
    path = f"/Users/{user['id']}"
    answers = [
        scim.query("/Users", filter=filter),
        scim.post("/Users/.search", {"filter": filter}),
        scim.patch_op(path, {"op": "remove", "path": f"emails[{filter}]"}),
        scim.patch_op(path, {"op": "remove", "path": filter}),
    ]
    assert {answer.status for answer in answers} <= {200, 400, 414}
    assert scim.read(path) == user


def test_deep_filter_against_gunicorn(live):
    for filter in (PARENTHESES, "(" * 3000):
        assert live.get(f"/Users?filter={filter.replace(' ', '+')}").status in {200, 400, 414}


@pytest.mark.parametrize(("method", "path"), [("POST", "/Users"), ("PATCH", "/Users/x"), ("POST", "/Bulk")])
def test_ten_megabytes_are_413(scim, live, method, path):
    data = json.dumps({"schemas": [USER], "userName": "x" * MEGABYTES}).encode()
    assert scim.request(method, path, data=data).status == 413
    assert live.request(method, path, data=data).status == 413
    assert scim.get("/Users").status == live.get("/Users").status == 200


def test_ten_megabytes_that_do_not_tell_their_length_are_413(live):
    chunks = (b"x" * 1024 * 1024 for _ in range(10))
    assert live.request("POST", "/Users", data=chunks).status == 413


def test_no_more_is_asked_of_a_body_that_is_too_large_than_there_is(scim):
    """Behind its end some servers wait for more."""
    asked = []

    class Stream(io.BytesIO):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    headers = {"Authorization": f"Bearer {scim.token}", "Content-Length": str(MEGABYTES)}
    sent = Stream(b"x" * MEGABYTES)
    assert scim.app.test_client().post(f"{scim.base_path}/Users", headers=headers, input_stream=sent).status_code == 413
    assert min(asked) > 0
    assert sum(asked) <= MEGABYTES


def test_the_limit_of_a_body_is_an_option(make_scim):
    scim = make_scim(server={"max_body_bytes": 2000})
    assert scim.post("/Users", {"userName": "a" * 1000}).status == 201
    assert scim.post("/Users", {"userName": "b" * 2000}).status == 413


@pytest.mark.parametrize(("more", "status"), [(0, 201), (1, 413)])
def test_a_body_may_be_as_large_as_the_limit(live, more, status):
    limit = live.read("/ServiceProviderConfig")["bulk"]["maxPayloadSize"]
    for form in (lambda body: body, lambda body: iter([body])):  # the second does not tell its length
        body = json.dumps({"schemas": [USER], "userName": str(uuid4())}).encode()
        assert live.request("POST", "/Users", data=form(body.ljust(limit + more))).status == status


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        ("Content-Length: 500", '{"schemas":[], "userName":"broken-off"}'),
        ("Transfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "-2\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "2\r\n{}XX0\r\n\r\n"),
        ("Transfer-Encoding: chunked", '30\r\n{"userName":'),
    ],
)
def test_a_body_that_breaks_off_is_400(live, framing, sent):
    head = f"POST {live.base_path}/Users HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {live.token}\r\n"
    host, port = live.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{head}Content-Type: application/scim+json\r\n{framing}\r\n\r\n{sent}".encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as file:
            answer = file.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The body ended early" in answer
    assert live.found("/Users", 'userName eq "broken-off"') == []


@pytest.mark.parametrize(
    "path",
    [
        "/Users?filter=userName+eq+%22%00%22",
        "/Users?filter=%FF%FE",
        "/Users?filter=userName+eq+%22%FF%22",
        "/Users?filter=%ED%A0%80",
        "/Users/%00",
        "/Users/%FF",
        "/Users/%ED%A0%80",
        "/Users/..%2f..%2fetc",
        "/Users/" + "x" * 3000,
        "/%00",
        "/Users?attributes=%00&sortBy=%FF&count=%00",
        "/Schemas/%00",
    ],
)
def test_odd_bytes_in_addresses(scim, live, path):
    assert scim.get(path).status in {200, 400, 404}
    assert live.get(path).status in {200, 400, 404}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Nowhere", 404),
        ("POST", "/Nowhere", 404),
        ("GET", "/Nowhere/1", 404),
        ("GET", "/users2/1/2/3", 404),
        ("GET", "/Users/1/emails", 404),
        ("PUT", "/Users", 405),
        ("PATCH", "/Users", 405),
        ("DELETE", "/Users", 405),
        ("POST", "/Users/1", 405),
        ("DELETE", "/Groups", 405),
        ("TRACE", "/Users", 405),
        ("FROB", "/Users", 405),
        ("FROB", "/Users/1", 405),
    ],
)
def test_unknown_paths_and_methods(scim, method, path, status):
    answer = scim.request(method, path, {} if method in {"POST", "PUT", "PATCH"} else None)
    assert answer.status == status
    if status == 405:
        assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json"])
def test_wrong_media_type_is_415(scim, user, content_type):
    headers = {"Content-Type": content_type}
    path = f"/Users/{user['id']}"
    body = {"schemas": [USER], "userName": "other"}
    answers = [
        scim.post("/Users", body, headers),
        scim.put(path, body, headers),
        scim.patch_op(path, {"op": "remove", "path": "title"}, headers=headers),
        scim.post("/.search", {}, headers),
        scim.post("/Bulk", {"Operations": []}, headers),
    ]
    assert {answer.status for answer in answers} == {415}
    assert scim.get("/Users").body["Resources"] == [user]
