"""Secrets under any name and in any format never reach the log, its exports, pages or stderr."""

import io
import logging
from urllib.parse import quote

import pytest

from config.tokens import new_signing_secret
from runtime import buffered_logging
from runtime.redact import LEFT_OUT, is_secret_name, redact
from tests.support.planted_secrets import SECRET_NAMES, Planted
from tests.support.urns import PATCH_OP, USER

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
UNKNOWN = "urn:contoso:params:extension:2.0:User"
READABLE_NAMES = (
    *("passport", "passportNumber", "tokenizer", "tokenization", "secretary", "secretaryName", "undersecretary"),
    *("secretariat", "pinCode", "pin_code", "shippingAddress", "spinning", "pineapple", "opinion", "compass"),
    *("bypass", "passenger", "passive", "keyboard", "monkey", "keyCard", "hotkey", "publicKey", "sshPublicKey"),
    *("author", "authority", "authored", "department", "option", "optOut", "topic", "seedling", "reseeded"),
    *("userName", "displayName", "costCenter", "employeeNumber", "x509Certificates", "passwordlessEnabled"),
    *("cryptography", "hashtag", "basic", "hotPlate", "footprint", "jwtless", "assignment", "keyTag", "certificate"),
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodXNoIn0.{}c2lnbmF0dXJl"
FORMS = {
    "Bearer": "Bearer {}AbCdEf-_~+/==",
    "bearer, encoded": "bearer%20{}AbCdEf",
    "Authorization header": "Authorization: Bearer {}",
    "JWT": JWT,
    "JWT in a text": f"see {JWT}, please",
    "own token": "tscim_{}AbCdEf",
    "own token in a word": "Xtscim_{}AbCdEf",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\n{}\nMIIE\n-----END RSA PRIVATE KEY-----",
    "PEM without an end": "-----BEGIN OPENSSH PRIVATE KEY-----\n{}",
    "query": "a=b&password={}&c=d",
    "quoted": "password='{} is hush'",
    "JSON": '{{"password": "{}"}}',
    "JSON within a text": 'sent {{"apiKey" : "{} hush"}}',
    "escaped JSON": '[{{"inner": "{{\\"token\\": \\"{}\\"}}"}}]',
}


def plant_by_name(scim, user, planted):
    for name in SECRET_NAMES:
        new, folder = planted.new, f"/Users/{user}"
        attribute = f"{UNKNOWN}:{name}"
        scim.post("/Users", {"schemas": [USER], "userName": f"user-{name}", name: new()})
        scim.post("/Users", {"displayName": "no userName", name: [new(), {"value": new()}], UNKNOWN: {name: new()}})
        scim.put(folder, {"userName": "ann", name: {"value": new()}, "title": "Cook"})
        scim.put(folder, {"userName": 3, "roles": [{"value": "x", name: new()}]})
        operations = [{"op": "add", "value": {name: new(), attribute: new()}}]
        operations += [{"op": "replace", "path": path, "value": new()} for path in (name, attribute)]
        operations += [{"op": "remove", "path": f'emails[{name} eq "{new()}"].value'}]
        if name.isidentifier():
            operations += [{"op": "add", "path": "roles", "value": [{"type": name, "value": new()}]}]
        for operation in operations:
            scim.patch(folder, {"schemas": [PATCH_OP], "Operations": [operation]})
        scim.patch(folder, {"schemas": [PATCH_OP], "Operations": operations})
        bulk = {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "", name: new()}}
        patch = {"method": "PATCH", "path": folder, "data": {"schemas": [PATCH_OP], "Operations": operations}}
        scim.post("/Bulk", {"schemas": [BULK], "Operations": [bulk, patch]})
        scim.query("/Users", filter=f'{name} eq "{new()}"')
        scim.query("/Users", filter=f"{name} eq {new()} and (")
        scim.query("/Users", sortBy=f"{name}={new()}", count="x", attributes=f"{name}={new()}")
        scim.post("/Users/.search", {"filter": f'{name} eq "{new()}', "count": "x"})
        scim.get(
            f"/Users/{quote(name)}={new()}",
            {"client-request-id": f"{name}={new()}"} if name.isascii() and name.isprintable() else {},
        )


def plant_by_form(scim, user, planted, form):
    for text in (form.format(planted.new()), form.format(planted.new())):
        folder = f"/Users/{user}"
        line = text.replace("\n", " ")
        scim.post("/Users", {"userName": text, "displayName": text, "title": text, text: text, UNKNOWN: {text: text}})
        scim.post("/Users", {"userName": text, "emails": [{"value": text, "type": text}, text], "nickName": [text]})
        scim.put(folder, {"userName": "ann", "title": text, "roles": [{"value": text}, {"display": text}]})
        for operation in (
            {"op": "add", "path": "title", "value": text},
            {"op": "add", "path": text, "value": text},
            {"op": text, "path": "title", "value": {"x": [text]}},
            {"op": "add", "path": f'emails[type eq "{text}"].value', "value": text},
        ):
            scim.patch(folder, {"schemas": [PATCH_OP], "Operations": [operation]})
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": text, "data": {"userName": text, text: [text]}},
            {"method": "DELETE", "path": f"/Users/{text}"},
            {"method": "GET", "path": text},
        ]
        scim.post("/Bulk", {"schemas": [BULK], "Operations": operations[:2]})
        scim.post("/Bulk", {"schemas": [BULK], "Operations": operations})
        scim.post("/Groups", {"displayName": text, "members": [{"value": text, "display": text}]})
        parameters = dict.fromkeys(
            ("filter", "sortBy", "attributes", "excludedAttributes", "cursor", "startIndex"), text
        )
        scim.query("/Users", **parameters)
        for name, value in parameters.items():
            scim.query("/Users", **{name: value})
        scim.post("/Users/.search", parameters)
        headers = {"client-request-id": line, "User-Agent": line, "If-Match": line, "X-Token": line}
        scim.get(f"/Users/{quote(text)}", headers)
        scim.get(f"/{quote(text)}", headers)
        scim.get(f"/Users/{quote(text)}", {**headers, "Authorization": line})


@pytest.fixture
def stderr():
    """What the service would write to stderr."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(buffered_logging.Formatter())
    log = logging.getLogger("tinyscim")
    log.addHandler(handler)
    yield handler.stream
    log.removeHandler(handler)


@pytest.fixture
def everywhere(logged, stderr, monkeypatch):
    """All the text that the log and its readers give out."""
    monkeypatch.setattr("provisioning_log.writer.UNAUTHENTICATED_PER_MINUTE", 10_000)
    logged.scim.create_user(userName="bystander", title="Cook")

    def read():
        logged.log.flush()
        texts = {path.name: path.read_text() for path in logged.path.parent.glob("*.jsonl")}
        texts |= {name: logged.run(*name.split()).output for name in ("tail -n 9999", "export", "export --format csv")}
        assert "bystander" in texts["export --format csv"]
        return {**texts, "stderr": stderr.getvalue()}

    return read


def test_no_secret_is_kept_by_its_name_in_any_spelling_or_position(logged, everywhere):
    planted, user = Planted(), logged.scim.create_user(userName="target")
    plant_by_name(logged.scim, user["id"], planted)
    assert len(planted.all) > 15 * len(SECRET_NAMES)
    for name, text in everywhere().items():
        assert planted.found_in(text) == [], name


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_is_kept_that_its_form_gives_away(logged, everywhere, form):
    planted, user = Planted(), logged.scim.create_user(userName="target")
    plant_by_form(logged.scim, user["id"], planted, FORMS[form])
    for name, text in everywhere().items():
        assert planted.found_in(text) == [], name


def test_basic_credentials_are_recognised(logged, everywhere):
    planted, user = Planted(), logged.scim.create_user(userName="target")
    plant_by_form(logged.scim, user["id"], planted, planted.basic().replace("{", "{{"))
    for name, text in everywhere().items():
        assert planted.found_in(text) == [], name


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_name_is_recognised(name):
    words = name.replace(".", " ").split(" ")
    assert is_secret_name(name) or any(map(is_secret_name, words))


@pytest.mark.parametrize("name", READABLE_NAMES)
def test_an_ordinary_name_stays_readable(logged, name):
    assert not is_secret_name(name)
    logged.scim.post("/Users", {"userName": [], name: "kept", UNKNOWN: {name: "kept"}})
    request = logged.last().request
    assert name == "userName" or (request[name], request[UNKNOWN]) == ("kept", {name: "kept"})


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Standard Bearer",
            "The bearer token is missing or not known here.",
            "Basic Education",
            "Basic Authentication",
        ),
        *(
            "Bearer of the flag",
            "urn:ietf:params:oauth:token-type:jwt",
            "a=b",
            "eyJ",
            "tscim_",
            "Password administrator",
        ),
        *("ann@example.com", "https://contoso.example/?page=2&sort=name", "-- BEGIN --", "Token: see the vault"),
    ],
)
def test_ordinary_texts_stay_readable(text):
    assert redact(text) == text


@pytest.mark.parametrize("letter", ["\u017f", "\u0131", "\u212a"])  # they match s, i and k where case does not count
def test_letters_of_other_alphabets_after_basic_are_logged_without_an_error(logged, letter):
    assert logged.scim.get("/" + quote(f"basic abcd{letter}")).status == 404


def test_whether_and_when_stay_readable_under_secret_names(logged):
    logged.scim.post("/Users", {"passwordProfile": {"forceChangePasswordNextSignIn": True}, "passwordExpired": False})
    assert logged.last().request == {"passwordProfile": LEFT_OUT, "passwordExpired": False}


def test_a_urn_that_is_declared_may_have_any_word_in_it(make_logged):
    urn = "urn:contoso:secrets:token:2.0:User"
    table = {"id": urn, "name": "Contoso", "extends": "User", "attributes": [{"name": "badge", "type": "string"}]}
    logged = make_logged(schemas=[table])
    logged.scim.create_user(**{urn: {"badge": "B-1"}})
    entry = logged.last()
    assert (entry.request[urn], entry.changes[f"{urn}:badge"]) == ({"badge": "B-1"}, [None, "B-1"])


def test_an_answer_that_repeats_the_beginning_of_a_long_secret_has_no_detail(logged):
    secret = "h" * 300
    logged.scim.create_user(userName=secret)
    logged.scim.post("/Users", {"userName": secret, "apiKey": secret})
    assert logged.last().response["detail"] == LEFT_OUT


def test_very_many_secrets_hide_the_answer_instead_of_being_compared(logged):
    logged.scim.create_user(userName="taken")
    logged.scim.post("/Users", {"userName": "taken", "tokens": [f"t{number}" for number in range(5_000)]})
    assert logged.last().response["detail"] == LEFT_OUT


GROWING = (
    "bearer ",
    "bearer+",
    "basic:",
    "eyJ",
    "eyJ.",
    "-----BEGIN ",
    "-----END ",
    "-",
    "a",
    "aA",
    "a=",
    'a":',
    '"',
    '\\"',
)


@pytest.mark.parametrize("piece", GROWING)
def test_what_is_redacted_is_found_wherever_it_stands(piece):
    """Whatever comes before, in whatever length; a quadratic pattern would not come to an end."""
    before = piece * 20_000
    assert "Hush1234hush" not in redact(f"{before} Bearer Hush1234hush")


@pytest.mark.parametrize("text", ["{}", "key {} and more", '"{}"', "x{}", "https://a.example/?k={}"])
def test_the_secret_of_a_webhook_is_recognised_in_any_text(text):
    secret = new_signing_secret()[0]
    shown = redact(text.format(secret))
    assert LEFT_OUT in shown
    assert secret[6:30] not in shown
