"""How Entra's requests arrive."""

import logging
from contextlib import closing, contextmanager
from http.client import HTTPConnection

import pytest

from storage.base import Unavailable
from storage.memory import MemoryStore
from tests.support.urns import ENT, USER

OLD_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/scim+json; charset=utf-8",
        "application/scim+json",
        'application/scim+json;charset="UTF-8"',
        "Application/SCIM+JSON; charset=utf-8; odata=none",
        "application/json",
        "application/json; charset=utf-8",
    ],
)
def test_write_headers(scim, content_type):
    body = {"schemas": [USER], "userName": "ines@contoso.example"}
    answer = scim.post("/Users", body, {"Content-Type": content_type})
    assert answer.status == 201


@pytest.mark.parametrize("accept", [None, "application/scim+json", "application/json", "*/*", "text/html"])
def test_get_has_no_content_type_and_needs_no_accept(scim, accept):
    user = scim.create_user()
    answer = scim.get(f"/Users/{user['id']}", {"Accept": accept, "Content-Type": None})
    assert answer.status == 200
    assert answer.body["userName"] == user["userName"]


def test_get_with_a_content_type_is_as_good(scim):
    assert scim.get("/Users", {"Content-Type": "application/scim+json; charset=utf-8"}).status == 200


def test_delete_has_no_content_type(scim):
    assert scim.delete(f"/Users/{scim.create_user()['id']}", {"Content-Type": None}).status == 204


def request_id(answer):
    return next(value for name, value in answer.headers.items() if name.lower().endswith("request-id"))


def test_user_agent_may_be_absent(live):
    connection = HTTPConnection(live.url.removeprefix("http://"))  # sends no header that it is not told to
    with closing(connection):
        connection.request("GET", f"{live.base_path}/Users", headers={"Authorization": f"Bearer {live.token}"})
        assert connection.getresponse().status == 200


def test_answers_carry_a_request_id_of_the_servers_own(scim):
    plain = scim.get("/Users")
    theirs = scim.get("/Users", {"client-request-id": "6f7c1a1e-aaaa"})
    refused = scim.get("/Users/none")
    ids = {request_id(plain), request_id(theirs), request_id(refused)}
    assert len(ids) == 3
    assert "6f7c1a1e-aaaa" not in ids


def test_every_answer_is_application_scim_json(scim):
    user = scim.create_user(userName="noor@contoso.example")
    answers = [
        scim.get("/Users"),
        scim.get(f"/Users/{user['id']}"),
        scim.patch_op(f"/Users/{user['id']}", {"op": "Add", "path": "title", "value": "Clerk"}),
        scim.get("/Schemas"),
        scim.get("/Users/none"),
        scim.get("/Nowhere"),
        scim.query("/Users", filter="userName is wrong"),
        scim.post("/Users", {"userName": "noor@contoso.example"}),
        scim.get("/Users", {"Authorization": None}),
        scim.request("TRACE", "/Users"),
    ]
    assert {answer.headers["Content-Type"].split(";")[0] for answer in answers} == {"application/scim+json"}
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 404, 404, 400, 409, 401, 405]


@pytest.mark.parametrize("base_path", ["/scim", "/scim/v2", "/api/scim/v2"])
def test_tenant_url_is_an_option(make_scim, base_path):
    scim = make_scim(server={"base_path": base_path})
    user = scim.create_user()
    assert user["meta"]["location"].endswith(f"{base_path}/Users/{user['id']}")
    assert scim.read(f"/Users/{user['id']}") == user


@pytest.mark.parametrize("path", ["//Users", "/Users/", "//Users/"])
def test_slashes_too_many_are_tolerated_without_a_redirect(scim, path):
    user = scim.create_user(userName="olga@contoso.example")
    answer = scim.query(path, filter='userName eq "olga@contoso.example"')
    assert answer.status == 200
    assert [found["id"] for found in answer.body["Resources"]] == [user["id"]]


def test_slashes_too_many_are_tolerated_in_writes(scim):
    created = scim.post("//Users/", {"schemas": [USER], "userName": "per@contoso.example"})
    assert created.status == 201
    path = f"//Users/{created.body['id']}/"
    assert scim.patch_op(path, {"op": "Replace", "path": "active", "value": "False"}).status == 200
    assert scim.delete(path).status == 204


@pytest.mark.parametrize("flag", ["aadOptscim062020", "AzureAdScimPatch2017", "aadOptscim062020="])
def test_flag_may_stand_anywhere_in_the_query(scim, flag):
    user = scim.create_user(userName="pia@contoso.example")
    scim.create_user()
    condition = "filter=userName+eq+%22pia@contoso.example%22"
    for query in [f"{flag}&{condition}", f"{condition}&{flag}", f"&{flag}&{condition}"]:
        answer = scim.get(f"/Users?{query}")
        assert [found["id"] for found in answer.body["Resources"]] == [user["id"]]


def test_flag_on_writes(scim):
    created = scim.post("/Users?aadOptscim062020", {"schemas": [USER], "userName": "raj@contoso.example"})
    assert created.status == 201
    path = f"/Users/{created.body['id']}?aadOptscim062020"
    operation = {"op": "replace", "path": "active", "value": False}
    assert scim.patch_op(path, operation).body["active"] is False
    assert scim.delete(path).status == 204


@pytest.mark.parametrize("path", ["?aadOptscim062020/Users", "/?aadOptscim062020/Users", "?aadOptscim062020"])
def test_flag_before_the_path_is_no_failure(scim, path):
    assert scim.get(path).status < 500


@pytest.mark.parametrize(
    "flag",
    [
        "aadOptscim062020",
        "aadOptscim062020=",
        "AzureAdScimPatch2017=true",
        "aadOptscim062020=true&x=1",
        "x=1&aadOptscim062020",
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_search_behind_a_flag_finds_nobody_else(scim, flag, slash):
    user = scim.create_user(userName="quy@contoso.example")
    for name, found in (("quy@contoso.example", [user["id"]]), ("nobody", [])):
        answer = scim.get(f"{slash}?{flag}/Users?filter=userName+eq+%22{name}%22")
        assert [one["id"] for one in answer.body["Resources"]] == found


@pytest.mark.parametrize("flag", ["aadOptscim062020", "aadOptscim062020=", "aadOptscim062020=true"])
def test_a_slash_behind_a_flag_in_its_place_is_no_path(scim, flag):
    user = scim.create_user(externalId="corp/ada")
    for value, found in (("corp/ada", [user["id"]]), ("nobody/", [])):
        answer = scim.get(f"/Users?{flag}&filter=externalId+eq+%22{value}%22")
        assert [one["id"] for one in answer.body["Resources"]] == found
        everywhere = scim.get(f"?{flag}&filter=externalId+eq+%22{value}%22")
        assert [one["id"] for one in everywhere.body["Resources"]] == found
    assert scim.post(f"/Users?{flag}&x=a/b", {"schemas": [USER], "userName": "a/b"}).status == 201


def test_both_dialects_from_one_tenant(scim):
    path = f"/Users/{scim.create_user()['id']}"
    assert scim.patch_op(path, {"op": "Replace", "path": "active", "value": "False"}).status == 200
    assert scim.patch_op(path, {"op": "replace", "value": {"active": True}}).body["active"] is True


def test_doubled_bearer_is_tolerated_with_a_warning(scim, caplog):
    with caplog.at_level(logging.WARNING):
        answer = scim.get("/Users", {"Authorization": f"Bearer Bearer {scim.token}"})
    assert answer.status == 200
    assert any("Bearer" in record.getMessage() for record in caplog.records)
    assert scim.token not in caplog.text


def test_scheme_is_matched_without_regard_to_case(scim):
    assert scim.get("/Users", {"Authorization": f"bearer {scim.token}"}).status == 200


def test_locations_are_https_behind_a_proxy_that_ends_tls(make_scim):
    scim = make_scim(server={"trusted_proxies": 1})
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "id.contoso.example",
        "X-Forwarded-For": "10.0.0.9",
    }
    created = scim.post("/Users", {"schemas": [USER], "userName": "sana@contoso.example"}, headers)
    assert created.headers["Location"].startswith("https://id.contoso.example/api/scim/v2/Users/")


def test_a_burst_meets_no_429(live):
    statuses = {live.query("/Users", filter='userName eq "nobody"').status for _ in range(60)}
    assert statuses == {200}


def test_a_store_that_takes_no_writes_is_503_with_retry_after(make_scim):
    class Stuck(MemoryStore):
        @contextmanager
        def writing(self):
            raise Unavailable("the disk is away")
            yield

    scim = make_scim(store=Stuck())
    answer = scim.post("/Users", {"schemas": [USER], "userName": "tove@contoso.example"})
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert scim.get("/Users").body["totalResults"] == 0


def test_on_premises_agent_reaches_a_private_host_name_over_http(scim):
    headers = {"Host": "scim.corp.internal:8080"}
    schemas = scim.get("/Schemas", headers)
    assert schemas.status == 200
    locations = [schema["meta"]["location"] for schema in schemas.body["Resources"]]
    assert all(at.startswith("http://scim.corp.internal:8080/api/scim/v2/Schemas/") for at in locations)


def test_old_job_names_extension_attributes_with_a_dot(scim):
    chief, user = scim.create_user(), scim.create_user()
    path = f"/Users/{user['id']}"
    changed = scim.patch_op(
        path,
        {"op": "Add", "path": f"{ENT}.manager", "value": chief["id"]},
        {"op": "Add", "path": f"{ENT}.department", "value": "Harbour"},
    )
    assert changed.body[ENT]["department"] == "Harbour"
    assert changed.body[ENT]["manager"]["value"] == chief["id"]


def test_old_job_creates_groups_under_the_old_schema(scim):
    created = scim.post("/Groups", {"schemas": [OLD_GROUP], "displayName": "Pilots"})
    assert created.status == 201
    assert created.body["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:Group"]


def test_noise_of_the_public_validator_is_kept_as_sent(scim):
    noise = {
        "profileUrl": "KQ7ZX1",
        "locale": "N3W",
        "timezone": "PL0",
        "preferredLanguage": "QX-ZZ9",
        "photos": [{"type": "photo", "value": "not a url"}],
        "emails": [{"type": "work", "value": "ulla@contoso.example", "display": "Ulla", "primary": True}],
        "phoneNumbers": [{"type": "fax", "value": "12-3456-7890", "display": "D1SP", "primary": True}],
    }
    user = scim.create_user(**noise)
    assert {name: user[name] for name in noise} == noise


def test_the_shape_is_that_of_the_rfc_and_not_of_entras_own_api(scim):
    user = scim.create_user()
    listing = scim.get("/Users").body
    assert listing["Resources"][0]["id"] == user["id"]
    assert listing["startIndex"] == 1
    assert "nextCursor" not in listing
    assert scim.put(f"/Users/{user['id']}", {"schemas": [USER], "userName": "vera"}).status == 200
    assert scim.read("/ServiceProviderConfig")["bulk"]["supported"] is True
