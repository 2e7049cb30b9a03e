"""Requests compared with documented and captured ones."""

from types import SimpleNamespace

import pytest

from entra.client import HttpOptions, RateLimiter, split_url
from entra.dialect import Change, Dialect
from entra.mapping import entra_defaults, idmelon_defaults, make_row, with_roles
from entra.targets import CORE_USER, ENTERPRISE, IDMELON, Target
from tests.support.emulator_job import client

SOURCE = {
    "objectId": "0a21f0f2",
    "userPrincipalName": "a@b.c",
    "mail": "a@b.c",
    "givenName": "A",
    "surname": "B",
    "IsSoftDeleted": False,
    "immutableId": "q1==",
    "city": "Cork",
    "appRoleAssignments": [{"id": "06b07648", "value": "25", "displayName": "Role1234"}],
}


def change(target, old, new, expression="[x]"):
    return Change(make_row("User", expression, target), old, new)


def created(mappings=None, **switches):
    users = (mappings or idmelon_defaults()).users
    return Dialect(**switches).create(users, users.values(SOURCE, creating=True))


def operations(changes, **switches):
    return Dialect(**switches).patch(changes)["Operations"]


@pytest.mark.parametrize("flag", [False, True])
def test_a_create_is_the_documented_one(flag):
    assert created(flag=flag) == {
        "schemas": [CORE_USER, ENTERPRISE],
        "userName": "a@b.c",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "a@b.c"}],
        "name": {"givenName": "A", "familyName": "B", "formatted": "A B"},
        "addresses": [{"type": "work", "locality": "Cork"}],
        "externalId": "0a21f0f2",
        IDMELON: {"immutable_id": "q1=="},
        "meta": {"resourceType": "User"},
    }


def test_options_of_a_create():
    assert created(booleans="string")["active"] == "True"
    body = created(nulls_in_create=True)
    assert (body["title"], body["preferredLanguage"]) == (None, None)


def test_roles_have_the_form_of_each_request():
    role = {"primary": False, "type": "WindowsAzureActiveDirectoryRole", "display": "Role1234", "value": "25"}
    mappings = with_roles(entra_defaults(), "complex")
    assert created(mappings)["roles"] == [role]
    single = created(with_roles(entra_defaults(), "single"))["roles"]
    assert single == [{"primary": True, "value": "25"}]
    changed = change("roles", None, [role], "AppRoleAssignmentsComplex([appRoleAssignments])")
    (legacy,) = operations([changed])
    assert legacy["op"] == "Add"
    assert legacy["value"] == [{"value": '{"value": "25", "displayName": "Role1234"}'}]
    assert operations([changed], flag=True) == [{"op": "add", "path": "roles", "value": [role]}]
    assertive = change("roles", None, [role], "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])")
    assert operations([assertive]) == [{"op": "Replace", "path": "roles", "value": [role]}]


CHANGES = [
    change("displayName", "x", "Bjfe"),
    change('emails[type eq "work"].value', "y", "a@b.c"),
    change("name.givenName", "z", "Kkom"),
    change(f"{ENTERPRISE}:employeeNumber", "1", "Aklq"),
]


def test_the_legacy_patch_has_one_operation_for_each_attribute():
    assert operations(CHANGES) == [
        {"op": "Replace", "path": "displayName", "value": "Bjfe"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "a@b.c"},
        {"op": "Replace", "path": "name.givenName", "value": "Kkom"},
        {"op": "Replace", "path": f"{ENTERPRISE}:employeeNumber", "value": "Aklq"},
    ]


def test_the_flagged_patch_puts_all_but_valued_paths_into_one_operation_without_a_path():
    assert operations(CHANGES, flag=True) == [
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "a@b.c"},
        {
            "op": "replace",
            "value": {"displayName": "Bjfe", "name.givenName": "Kkom", f"{ENTERPRISE}:employeeNumber": "Aklq"},
        },
    ]


def test_adds_keep_their_path_alone_and_lose_it_together():
    one, two = change("nickName", None, "Babs"), change("title", None, "Boss")
    assert operations([one]) == [{"op": "Add", "path": "nickName", "value": "Babs"}]
    assert operations([one], flag=True) == [{"op": "add", "path": "nickName", "value": "Babs"}]
    assert operations([one, two], flag=True) == [{"op": "add", "value": {"nickName": "Babs", "title": "Boss"}}]


@pytest.mark.parametrize(
    ("switches", "operation"),
    [
        ({}, {"op": "Replace", "path": "active", "value": "False"}),
        ({"flag": True}, {"op": "replace", "path": "active", "value": False}),
        ({"booleans": "native"}, {"op": "Replace", "path": "active", "value": False}),
        ({"flag": True, "booleans": "string"}, {"op": "replace", "path": "active", "value": "False"}),
    ],
)
def test_disabling_writes_the_boolean_of_the_dialect(switches, operation):
    assert operations([change("active", True, False)], **switches) == [operation]


def test_unsetting_writes_an_empty_string():
    changes = [change("title", "x", None), change(f"{ENTERPRISE}:department", "y", None)]
    assert operations(changes[:1]) == [{"op": "Replace", "path": "title", "value": ""}]
    assert operations(changes, flag=True) == [{"op": "replace", "value": {"title": "", f"{ENTERPRISE}:department": ""}}]


def test_members_are_added_and_removed_in_the_form_of_each_dialect():
    assert Dialect().members_patch(["u1"], ["u2"])["Operations"] == [
        {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "u1"}]},
        {"op": "Remove", "path": "members", "value": [{"value": "u2"}]},
    ]
    assert Dialect(flag=True).members_patch(["u1", "u3"], ["u2"])["Operations"] == [
        {"op": "add", "path": "members", "value": [{"value": "u1"}, {"value": "u3"}]},
        {"op": "remove", "path": 'members[value eq "u2"]'},
    ]


@pytest.mark.parametrize(
    ("style", "path", "value"),
    [
        ("string", f"{ENTERPRISE}:manager", "9"),
        ("object", f"{ENTERPRISE}:manager", {"value": "9"}),
        ("array", "manager", [{"$ref": "https://x/scim/Users/9", "value": "9"}]),
    ],
)
def test_a_manager_has_the_chosen_form(style, path, value):
    target = Target.parse(f"{ENTERPRISE}:manager")
    (operation,) = Dialect(manager=style).manager_patch(target, "9", False, "https://x/scim")["Operations"]
    assert operation == {"op": "Add", "path": path, "value": value}
    (cleared,) = Dialect(manager=style).manager_patch(target, None, True, "")["Operations"]
    assert cleared == {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": ""}


# HTTP


class Echo:
    def __init__(self):
        self.environ = None

    def __call__(self, environ, start_response):
        self.environ = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"let-me-in was the token"]


def seen(method="GET", body=None, query=(("filter", 'userName eq "a+b@c"'),), url="http://x/scim", **options):
    app = Echo()
    exchange = client(app, url, **options).send(method, "/Users", query, body)
    return app.environ, exchange


def test_spaces_are_plus_signs_or_percent_20_and_a_plus_is_always_escaped():
    assert seen()[0]["QUERY_STRING"] == "filter=userName+eq+%22a%2Bb%40c%22"
    assert seen(spaces="%20")[0]["QUERY_STRING"] == "filter=userName%20eq%20%22a%2Bb%40c%22"


def test_reads_and_writes_send_entras_headers():
    read, _ = seen()
    assert "CONTENT_TYPE" not in read or not read["CONTENT_TYPE"]
    assert "HTTP_ACCEPT" not in read
    assert read["HTTP_AUTHORIZATION"] == "Bearer let-me-in"
    assert "HTTP_USER_AGENT" in read
    written, _ = seen("POST", {"a": 1}, ())
    assert written["CONTENT_TYPE"] == "application/scim+json; charset=utf-8"
    written, _ = seen("POST", {"a": 1}, (), charset=False)
    assert written["CONTENT_TYPE"] == "application/scim+json"
    assert "HTTP_USER_AGENT" not in seen(user_agent=False)[0]


def test_the_url_may_have_a_trailing_slash_and_the_flag():
    assert seen(trailing_slash=True)[0]["PATH_INFO"] == "/scim/Users/"
    assert seen(url="http://x/scim/?aadOptscim062020")[0]["QUERY_STRING"].startswith("filter=")
    flagged, _ = seen(url="http://x/scim?aadOptscim062020", flag_on_wire=True)
    assert flagged["QUERY_STRING"].startswith("aadOptscim062020&filter=")


def test_an_echoed_token_is_hidden():
    _, exchange = seen()
    assert exchange.response == "(token) was the token"
    assert "let-me-in" not in str(exchange.to_json())


@pytest.mark.parametrize(
    ("url", "base", "flag"),
    [
        ("https://x/scim", "https://x/scim", False),
        ("https://x/scim/", "https://x/scim", False),
        ("https://x:8443/scim/v2/?aadOptscim062020", "https://x:8443/scim/v2", True),
        ("https://x/scim?AADOPTSCIM062020", "https://x/scim", True),
    ],
)
def test_a_tenant_url_is_split_into_base_and_flag(url, base, flag):
    assert split_url(url) == (base, flag)


@pytest.mark.parametrize("url", ["x/scim", "ftp://x/scim", "https:///scim", "https://user:secret@x/scim"])
def test_an_invalid_tenant_url_is_rejected(url):
    with pytest.raises(ValueError, match="URL"):
        split_url(url)


def test_the_rate_limit_delays_requests(monkeypatch):
    slept = []
    monkeypatch.setattr("entra.client.time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))
    limiter = RateLimiter(100)
    for _ in range(21):
        limiter.wait()
    assert sum(slept) == pytest.approx(0.2)


def test_retry_after_is_honoured_on_request():
    answers = iter([("429 Too Many", "0"), ("200 OK", "0")])

    def app(environ, start_response):
        status, wait = next(answers)
        start_response(status, [("Retry-After", wait)])
        return [b"{}"]

    assert client(app, honour_retry_after=True).send("GET", "/Users").status == 200


def test_default_options_are_entras():
    assert (HttpOptions().rate, HttpOptions().spaces, HttpOptions().charset) == (25, "+", True)
