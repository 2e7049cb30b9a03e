"""Advice on failed requests, and on unknown attributes."""

import time
import tomllib

import pytest

from config import client_edit
from config.reload import MAX_AGE
from provisioning_log.advice import advice
from provisioning_log.entries import Entry
from tests.support.oauth_service import OAuthService, make_client

CONTOSO = "urn:ietf:params:scim:schemas:extension:contoso:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def patch(path, value, op="Replace"):
    return lambda scim, user: scim.patch_op(f"/Users/{user}", {"op": op, "path": path, "value": value})


def post(**body):
    return lambda scim, user: scim.post("/Users", body)


FAILURES = {
    "a name that is taken": (post(userName="taken"), 409, 'A User with the userName "taken" already exists here'),
    "a group's name that is taken": (
        lambda scim, user: [scim.create_group(displayName="Cooks"), scim.post("/Groups", {"displayName": "Cooks"})],
        409,
        "unique_group_names = false",
    ),
    "an unknown attribute": (patch("shoeSize", "43"), 400, 'Remove the mapping whose target is "shoeSize"'),
    "an unknown part": (patch('emails[type eq "work"].colour', "x"), 400, "Correct the target attribute"),
    "no userName": (post(displayName="Ann"), 400, "Fill in the source attribute of userName"),
    "a wrong type": (post(userName="ann", active="perhaps"), 400, "its result must be true or false"),
    "two primaries": (
        post(userName="ann", emails=[{"value": one, "primary": True} for one in "ab"]),
        400,
        "Keep only one mapping whose target sets",
    ),
    "userName emptied": (patch("userName", ""), 400, "it is empty there, but userName is required"),
    "a read-only attribute": (patch("groups", [{"value": "x"}]), 400, 'Remove the mapping whose target is "groups"'),
    "a filter": (lambda scim, user: scim.query("/Users", filter="x eq 1"), 400, "Choose a matching attribute"),
    "no JSON": (lambda scim, user: scim.request("POST", "/Users", data=b"{"), 400, "No setting in Entra"),
    "a wrong token": (
        lambda scim, user: scim.get("/Users", {"Authorization": "Bearer x"}),
        401,
        "as the Secret Token into Entra's Provisioning > Connectivity",
    ),
    "a link to who is gone": (lambda scim, user: scim.get("/Users/gone"), 404, "Restart its job with Microsoft Graph"),
    "a wrong address": (lambda scim, user: scim.get("/Usres"), 404, "Tenant URL"),
    "a wrong method": (lambda scim, user: scim.put("/Users", {}), 405, "Tenant URL"),
    "a version": (
        lambda scim, user: scim.patch_op(f"/Users/{user}", headers={"If-Match": 'W/"1"'}),
        412,
        "another request changed the resource first",
    ),
    "a large body": (lambda scim, user: scim.post("/Users", {"x": "y" * 2_000}), 413, "Raise max_body_bytes"),
    "a large bulk": (lambda scim, user: scim.post("/Bulk", bulk(3)), 413, "Raise max_bulk_operations"),
    "no JSON type": (
        lambda scim, user: scim.post("/Users", {}, {"Content-Type": "text/plain"}),
        415,
        "Configure the client to send JSON",
    ),
    "Me": (lambda scim, user: scim.get("/Me"), 501, "does not implement this SCIM endpoint"),
}


def bulk(count):
    operation = {"method": "DELETE", "path": "/Users/x"}
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [operation] * count}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_says_what_to_change(make_logged, failure):
    logged = make_logged(server={"max_body_bytes": 1_500}, limits={"max_bulk_operations": 2})
    user = logged.scim.create_user(userName="taken")
    send, status, said = FAILURES[failure]
    send(logged.scim, user["id"])
    assert logged.last().status == status
    assert said in advice(logged.last())


def test_a_token_that_may_only_read_is_named(make_logged):
    logged = make_logged(read_only=True)
    logged.scim.post("/Users", {"userName": "ann"})
    assert advice(logged.last()) == 'Give this client another token: "entra" was created with --read-only.'


def test_advice_for_a_revoked_oauth_client_is_another_secret(tmp_path):
    secret, table = make_client()
    service = OAuthService(table, folder=tmp_path)
    token = service.access_token(secret)
    client_edit.remove_secret(service.path, "entra-id", table["secrets"][0]["id"])
    time.sleep(MAX_AGE)
    answer = service.get(token)
    entry = Entry("", "", ("failed",), answer.status_code, response=answer.get_json(force=True))
    assert "flask client secret ID" in advice(entry)


def test_advice_for_a_connection_that_is_off(make_logged):
    logged = make_logged(connection={"enabled": False})
    logged.scim.get("/Users")
    assert "Turn on the connection" in advice(logged.last())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 413, 415, 418, 429, 500, 501, 502, 503, 507])
def test_there_is_advice_on_every_status(status):
    assert advice(Entry("", "", ("failed",), status)).endswith(".")


def test_a_success_has_no_advice():
    assert advice(Entry("", "", ("created",), 201)) == ""


def test_unknown_attributes_are_collected_with_what_to_paste(logged):
    for _ in range(2):
        logged.scim.create_user(**{CONTOSO: {"badge": "7"}, "shoeSize": 43, ENTERPRISE: {"wing": "East"}})
    user = logged.scim.create_user()
    logged.scim.patch_op(f"/Users/{user['id']}", {"op": "Add", "path": f"{CONTOSO}:locker", "value": "9"})
    found = {one.name: one for one in logged.log.warnings()}
    assert {name: one.count for name, one in found.items()} == {
        f"{CONTOSO}:locker": 1,
        f"{CONTOSO}:badge": 2,
        "shoeSize": 2,
        f"{ENTERPRISE}:wing": 2,
    }
    assert f'Remove the mapping whose target is "{CONTOSO}:badge"' in found[f"{CONTOSO}:badge"].advice
    assert f'change the mapping\'s target to "{CONTOSO}:shoeSize"' in found["shoeSize"].advice


@pytest.mark.parametrize("name", [f"{CONTOSO}:badge", "shoeSize", f"{ENTERPRISE}:wing"])
def test_the_table_to_paste_makes_the_attribute_known(logged, make_logged, name):
    urn, _, attribute = name.rpartition(":")
    logged.scim.create_user(**({urn: {attribute: "7"}} if urn else {name: "7"}))
    [unknown] = logged.log.warnings()
    declared = make_logged(**tomllib.loads(unknown.table))
    assert (declared.log.warnings() == []) == (unknown.target == name)
    urn, _, attribute = unknown.target.rpartition(":")
    user = declared.scim.create_user(**{urn: {attribute: "7"}})
    assert user[urn] == {attribute: "7"}


def test_a_second_attribute_goes_below_the_table_that_there_is(make_logged):
    table = {"id": CONTOSO, "name": "ContosoUser", "extends": "User", "attributes": [{"name": "badge"}]}
    logged = make_logged(schemas=[table])
    logged.scim.create_user(**{CONTOSO: {"badge": "7", "locker": "9"}})
    [unknown] = logged.log.warnings()
    assert unknown.table.splitlines() == [
        f'# add below the [[schemas]] table with the id "{CONTOSO}"',
        "  [[schemas.attributes]]",
        '  name = "locker"',
        '  type = "string"',
    ]


@pytest.mark.parametrize("piece", ["a", '"', '" in a', " must be ", ".", 'Another Group has the displayName "', "\\S "])
@pytest.mark.parametrize("status", [400, 403, 404, 409, 413])
def test_advice_is_linear_in_the_answer(piece, status):
    """Patterns are tried at the beginning alone; a search from each place would not come to an end here."""
    for scim_type in ("uniqueness", "invalidPath", "invalidValue", "mutability", ""):
        answer = {"scimType": scim_type, "detail": piece * (400_000 // len(piece))}
        assert advice(Entry("", "", ("failed",), status, response=answer)).endswith(".")


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (401, "the secret is wrong, or was revoked", "Enter the client's ID and a valid secret"),
        (401, "the assertion was rejected: it has expired: this server's clock is fast", "Compare this server's clock"),
        (401, "the assertion was rejected: its key is not among the 2 keys of x", "Compare the JWKS URL of the client"),
        (401, "the assertion was rejected: its signature is wrong", "Compare the JWKS URL of the client"),
        (401, "the assertion was rejected: sub is not the configured subject", "compare the four values"),
        (429, "the secret is wrong, or was revoked; after too many failures", "The entries before it say why"),
        (503, "the assertion was not verified: its key is not among the 0 keys of x", "connect to the JWKS URL"),
    ],
)
def test_a_refused_sign_in_has_advice_for_its_reason(status, reason, words):
    said = f'The sign-in of client "Entra" was refused: {reason}'
    assert words in advice(Entry("", "", ("failed",), status, reason=said))
