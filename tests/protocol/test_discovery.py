"""Discovery, and schemas that the config adds (RFC 7644 section 4, RFC 7643 sections 5 to 7)."""

import pytest

from tests.support.urns import ENT, GROUP, IDMELON, USER

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
DEVICE = "urn:example:params:scim:schemas:core:2.0:Device"
EXTRA = "urn:example:params:scim:schemas:extension:Shoes:2.0:User"
DOCUMENTS = ["/ServiceProviderConfig", "/serviceConfiguration", "/Schemas", "/ResourceTypes"]

DEVICE_SCHEMA = {
    "id": DEVICE,
    "name": "Device",
    "endpoint": "/Devices",
    "description": "A thing that a user has.",
    "attributes": [
        {"name": "serial", "type": "string", "required": True, "uniqueness": "server"},
        {"name": "weight", "type": "decimal"},
        {"name": "bought", "type": "dateTime"},
    ],
}
EXTRA_SCHEMA = {
    "id": EXTRA,
    "name": "Shoes",
    "extends": "User",
    "attributes": [
        {"name": "size", "type": "integer"},
        {"name": "size.text", "type": "string"},
        {"name": "made_on", "type": "dateTime"},
    ],
}


def test_service_provider_config(scim):
    body = scim.read("/ServiceProviderConfig")
    assert body["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]
    for name in ("patch", "bulk", "filter", "sort", "etag"):
        assert body[name]["supported"] is True
    assert body["changePassword"] == {"supported": False}
    for value in (
        body["bulk"]["maxOperations"],
        body["bulk"]["maxPayloadSize"],
        body["filter"]["maxResults"],
    ):
        assert type(value) is int
        assert value > 0
    (scheme,) = body["authenticationSchemes"]
    assert scheme["type"] == "oauthbearertoken"
    assert scheme["name"]
    assert scheme["description"]
    assert body["meta"]["resourceType"] == "ServiceProviderConfig"
    assert body["meta"]["location"].endswith("/api/scim/v2/ServiceProviderConfig")


def test_microsofts_spelling_of_the_service_provider_config(scim):
    assert scim.read("/serviceConfiguration")["patch"] == {"supported": True}
    assert set(scim.read("/serviceConfiguration")) == set(scim.read("/ServiceProviderConfig"))


def test_resource_types(scim):
    body = scim.read("/ResourceTypes")
    assert body["schemas"] == [LIST]
    types = {one["name"]: one for one in body["Resources"]}
    assert body["totalResults"] == len(types) == 2
    assert (types["User"]["endpoint"], types["User"]["schema"]) == ("/Users", USER)
    assert (types["Group"]["endpoint"], types["Group"]["schema"]) == ("/Groups", GROUP)
    extensions = {one["schema"]: one["required"] for one in types["User"]["schemaExtensions"]}
    assert extensions == {ENT: False, IDMELON: False}
    for name, one in types.items():
        assert one["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"]
        assert scim.read(f"/ResourceTypes/{name}") == one
        assert one["meta"]["location"].endswith(f"/ResourceTypes/{name}")


def test_schemas(scim):
    body = scim.read("/Schemas")
    assert {one["id"] for one in body["Resources"]} >= {USER, GROUP, ENT, IDMELON}
    for one in body["Resources"]:
        assert scim.read(f"/Schemas/{one['id']}") == one
        assert one["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:Schema"]
        assert one["meta"]["resourceType"] == "Schema"
        assert one["meta"]["location"].endswith(f"/Schemas/{one['id']}")


def attributes(scim, urn):
    pending = [("", one) for one in scim.read(f"/Schemas/{urn}")["attributes"]]
    while pending:
        prefix, one = pending.pop()
        yield prefix + one["name"], one
        pending += [(f"{prefix}{one['name']}.", sub) for sub in one.get("subAttributes", [])]


@pytest.mark.parametrize("urn", [USER, GROUP, ENT, IDMELON])
def test_every_attribute_tells_its_characteristics(scim, urn):
    for name, one in attributes(scim, urn):
        assert isinstance(one["multiValued"], bool), name
        assert isinstance(one["required"], bool), name
        assert one["mutability"] in {"readOnly", "readWrite", "immutable", "writeOnly"}, name
        assert one["returned"] in {"always", "never", "default", "request"}, name
        assert one["type"] != "complex" or one["subAttributes"], name
        assert one["type"] in {"complex", "boolean"} or isinstance(one["caseExact"], bool), name
        assert one["type"] != "reference" or one["referenceTypes"], name


@pytest.mark.parametrize(
    ("urn", "name", "expected"),
    [
        (USER, "userName", {"required": True, "uniqueness": "server", "caseExact": False, "type": "string"}),
        (USER, "password", {"mutability": "writeOnly", "returned": "never"}),
        (USER, "groups", {"mutability": "readOnly", "multiValued": True, "type": "complex"}),
        (USER, "active", {"type": "boolean", "multiValued": False}),
        (USER, "emails", {"multiValued": True, "type": "complex", "mutability": "readWrite"}),
        (USER, "groups.$ref", {"type": "reference", "referenceTypes": ["Group"]}),
        (GROUP, "displayName", {"required": True, "type": "string", "caseExact": False}),
        (GROUP, "members.value", {"mutability": "immutable"}),
        (GROUP, "members.$ref", {"type": "reference", "referenceTypes": ["User", "Group"]}),
        (GROUP, "description", {"type": "string", "multiValued": False}),
        (ENT, "manager.displayName", {"mutability": "readOnly"}),
        (ENT, "manager.value", {"caseExact": True}),
        (IDMELON, "immutable_id", {"type": "string", "multiValued": False, "mutability": "readWrite"}),
    ],
)
def test_characteristics(scim, urn, name, expected):
    found = dict(attributes(scim, urn))[name]
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize("path", ["/Schemas/urn:example:none", "/ResourceTypes/None"])
def test_unknown_document_is_404(scim, path):
    assert scim.get(path).status == 404


@pytest.mark.parametrize("path", [*DOCUMENTS, f"/Schemas/{USER}", "/ResourceTypes/User"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_discovery_answers_get_alone(scim, path, method):
    answer = scim.request(method, path, {"schemas": []})
    assert answer.status == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_discovery_needs_the_token(scim, path):
    assert scim.get(path, {"Authorization": None}).status == 401


@pytest.mark.parametrize("path", ["/Schemas", "/ResourceTypes"])
def test_discovery_is_not_filtered(scim, path):
    assert scim.query(path, filter='name eq "User"').status == 403
    assert scim.query(path, count=1, startIndex=2).body["totalResults"] >= 2


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_me_is_not_implemented(scim, method):
    assert scim.request(method, "/Me", {} if method != "GET" else None).status == 501


@pytest.fixture
def wide(make_scim):
    return make_scim(schemas=[DEVICE_SCHEMA, EXTRA_SCHEMA])


def test_declared_resource_type_is_served_like_the_others(wide):
    assert wide.read("/ResourceTypes/Device")["endpoint"] == "/Devices"
    assert {one["name"] for one in wide.read(f"/Schemas/{DEVICE}")["attributes"]} == {
        "serial",
        "weight",
        "bought",
    }
    created = wide.post("/Devices", {"schemas": [DEVICE], "serial": "A-1", "weight": 1.5})
    assert created.status == 201
    device = created.body
    assert device["meta"]["resourceType"] == "Device"
    assert device["meta"]["location"].endswith(f"/Devices/{device['id']}")
    assert wide.post("/Devices", {"schemas": [DEVICE], "serial": "a-1"}).status == 409
    assert wide.found("/Devices", "weight gt 1") == [device["id"]]
    patched = wide.patch_op(f"/Devices/{device['id']}", {"op": "add", "path": "weight", "value": 2})
    assert patched.body["weight"] == 2
    assert wide.post("/.search", {"filter": 'serial eq "A-1"'}).body["totalResults"] == 1
    assert wide.delete(f"/Devices/{device['id']}").status == 204


def test_declared_extension_is_served_like_the_others(wide):
    path = f"/Users/{wide.create_user()['id']}"
    changed = wide.patch_op(
        path,
        {"op": "Add", "path": f"{EXTRA}:size", "value": 44},
        {"op": "Add", "path": f"{EXTRA}:size.text", "value": "large"},
        {"op": "replace", "value": {f"{EXTRA}:made_on": "2024-05-06T07:08:09Z"}},
    )
    assert changed.body[EXTRA] == {"size": 44, "size.text": "large", "made_on": "2024-05-06T07:08:09Z"}
    assert changed.body["schemas"] == [USER, EXTRA]
    assert wide.found("/Users", f'{EXTRA}:size.text eq "LARGE" and {EXTRA}:size gt 43') == [changed.body["id"]]
    refused = wide.patch_op(path, {"op": "Add", "path": f"{EXTRA}:size", "value": "huge"})
    assert (refused.status, refused.body["scimType"]) == (400, "invalidValue")
