"""What an attribute's characteristics ask of the service (RFC 7643 sections 2.2 to 2.4), on a type of the config's."""

import pytest

DEVICE = "urn:example:params:scim:schemas:core:2.0:Device"
SCHEMA = {
    "id": DEVICE,
    "name": "Device",
    "endpoint": "/Devices",
    "attributes": [
        {"name": "serial", "type": "string", "required": True, "uniqueness": "server", "caseExact": True},
        {"name": "maker", "type": "string", "mutability": "immutable"},
        {"name": "state", "type": "string", "mutability": "readOnly"},
        {"name": "pin", "type": "string", "mutability": "writeOnly", "returned": "never"},
        {"name": "note", "type": "string", "returned": "request"},
        {"name": "label", "type": "string", "returned": "always"},
        {"name": "tags", "type": "string", "multiValued": True},
        {"name": "ports", "type": "integer", "multiValued": True},
        {"name": "cores", "type": "integer"},
        {"name": "weight", "type": "decimal"},
        {"name": "spare", "type": "boolean"},
        {"name": "bought", "type": "dateTime"},
        {"name": "manual", "type": "reference", "referenceTypes": ["external"]},
        {"name": "key", "type": "binary"},
        {
            "name": "place",
            "type": "complex",
            "subAttributes": [
                {"name": "room", "type": "string", "required": True},
                {"name": "floor", "type": "integer"},
            ],
        },
    ],
}


@pytest.fixture
def scim(make_scim):
    return make_scim(schemas=[SCHEMA])


@pytest.fixture
def device(scim):
    return create(scim, serial="A1", maker="Acme", label="Scanner")


def create(scim, **attributes):
    answer = scim.post("/Devices", {"schemas": [DEVICE], "serial": "S", **attributes})
    assert answer.status == 201, answer.body
    return answer.body


def refusal(answer):
    return answer.status, answer.body["scimType"]


def test_immutable_value_stays(scim, device):
    path = f"/Devices/{device['id']}"
    for operation in (
        {"op": "replace", "path": "maker", "value": "Other"},
        {"op": "add", "path": "maker", "value": "Other"},
        {"op": "replace", "value": {"maker": "Other"}},
        {"op": "remove", "path": "maker"},
    ):
        assert refusal(scim.patch_op(path, operation)) == (400, "mutability")
    assert refusal(scim.put(path, {**device, "maker": "Other"})) == (400, "mutability")
    assert scim.read(path) == device


def test_immutable_value_may_be_sent_again(scim, device):
    path = f"/Devices/{device['id']}"
    assert scim.patch_op(path, {"op": "replace", "path": "maker", "value": "Acme"}).status == 200
    assert scim.put(path, device).status == 200


def test_immutable_value_may_be_set_where_there_is_none(scim):
    path = f"/Devices/{create(scim)['id']}"
    assert scim.patch_op(path, {"op": "add", "path": "maker", "value": "Acme"}).body["maker"] == "Acme"
    assert refusal(scim.patch_op(path, {"op": "add", "path": "maker", "value": "Other"})) == (400, "mutability")


@pytest.mark.parametrize(
    "operation", [{"op": "replace", "value": {"urn:example:seal": None}}, {"op": "remove", "path": "urn:example:seal"}]
)
def test_immutable_value_stays_where_its_extension_is_removed(make_scim, operation):
    attributes = [{"name": "number", "mutability": "immutable"}, {"name": "colour"}]
    scim = make_scim(schemas=[{"id": "urn:example:seal", "name": "Seal", "extends": "User", "attributes": attributes}])
    sealed, plain = (scim.create_user(**{"urn:example:seal": value}) for value in ({"number": "1"}, {"colour": "red"}))
    assert refusal(scim.patch_op(f"/Users/{sealed['id']}", operation)) == (400, "mutability")
    assert "urn:example:seal" not in scim.patch_op(f"/Users/{plain['id']}", operation).body


def test_read_only_value_is_left_out_of_bodies_and_refused_in_patch(scim):
    device = create(scim, state="broken")
    path = f"/Devices/{device['id']}"
    assert "state" not in device
    assert "state" not in scim.put(path, {**device, "state": "broken"}).body
    assert refusal(scim.patch_op(path, {"op": "add", "path": "state", "value": "x"})) == (400, "mutability")


def test_value_that_is_never_returned(scim):
    device = create(scim, pin="1234")
    path = f"/Devices/{device['id']}"
    assert "pin" not in device
    assert "pin" not in scim.patch_op(path, {"op": "replace", "path": "pin", "value": "5678"}).body
    for query in ("", "?attributes=pin", "?attributes=pin,serial"):
        assert "pin" not in scim.read(path + query)
    assert "1234" not in scim.get("/Devices").text


def test_value_that_is_returned_on_request(scim):
    path = f"/Devices/{create(scim, note='fragile')['id']}"
    assert "note" not in scim.read(path)
    assert "note" not in scim.read(f"{path}?excludedAttributes=serial")
    assert scim.read(f"{path}?attributes=note")["note"] == "fragile"
    assert scim.found("/Devices", 'note eq "fragile"') == [path.rpartition("/")[2]]


def test_value_that_is_always_returned(scim, device):
    path = f"/Devices/{device['id']}"
    assert scim.read(f"{path}?attributes=serial")["label"] == "Scanner"
    assert scim.read(f"{path}?excludedAttributes=label")["label"] == "Scanner"


def test_unique_case_exact_value(scim, device):
    assert refusal(scim.post("/Devices", {"schemas": [DEVICE], "serial": "A1"})) == (409, "uniqueness")
    other = create(scim, serial="a1")
    operation = {"op": "replace", "path": "serial", "value": "A1"}
    assert refusal(scim.patch_op(f"/Devices/{other['id']}", operation)) == (409, "uniqueness")
    assert scim.found("/Devices", 'serial eq "a1"') == [other["id"]]


def test_required_value(scim, device):
    assert refusal(scim.post("/Devices", {"schemas": [DEVICE]})) == (400, "invalidValue")
    path = f"/Devices/{device['id']}"
    assert refusal(scim.patch_op(path, {"op": "remove", "path": "serial"})) == (400, "mutability")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tags", ["b", "a"]),
        ("ports", [443, 80]),
        ("cores", 0),
        ("cores", -(2**53)),
        ("weight", 1.25),
        ("weight", 3),
        ("spare", False),
        ("bought", "2024-02-29T23:59:59.123456+05:30"),
        ("manual", "not even a url"),
        ("key", "aGVsbG8="),
        ("place", {"room": "12b", "floor": -1}),
    ],
)
def test_values_are_kept_as_they_are(scim, name, value):
    device = create(scim, **{name: value})
    assert device[name] == value
    assert type(device[name]) is type(value)
    assert scim.found("/Devices", f"{name} pr") == [device["id"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tags", [1]),
        ("tags", [["a"]]),
        ("tags", [{"value": "a", "type": "b"}]),
        ("ports", ["http"]),
        ("cores", 1.5),
        ("cores", "four"),
        ("cores", True),
        ("weight", "heavy"),
        ("weight", False),
        ("spare", "seldom"),
        ("bought", "yesterday"),
        ("bought", "2024-02-30T00:00:00Z"),
        ("bought", 20240229),
        ("manual", 5),
        ("key", "not base64!"),
        ("key", 5),
        ("place", "12b"),
        ("place", {"room": 12}),
        ("place", {"room": "12b", "floor": "ground"}),
    ],
)
def test_values_of_another_type_are_refused(scim, device, name, value):
    body = {"schemas": [DEVICE], "serial": "B2", name: value}
    path = f"/Devices/{device['id']}"
    assert refusal(scim.post("/Devices", body)) == (400, "invalidValue")
    assert refusal(scim.put(path, {**body, "maker": "Acme"})) == (400, "invalidValue")
    assert refusal(scim.patch_op(path, {"op": "replace", "path": name, "value": value})) == (400, "invalidValue")
    assert scim.read(path) == device


def test_plain_values_are_removed_however_they_are_listed(make_scim):
    attributes = [{"name": "rooms", "type": "integer", "multiValued": True}]
    scim = make_scim(schemas=[{"id": "urn:example:hall", "name": "Hall", "extends": "User", "attributes": attributes}])
    path = f"/Users/{scim.create_user(**{'urn:example:hall': {'rooms': [5, 6, 7]}})['id']}"
    for value, left in (([{"value": 5}], [6, 7]), ([6], [7])):
        answer = scim.patch_op(path, {"op": "Remove", "path": "urn:example:hall:rooms", "value": value})
        assert answer.body["urn:example:hall"]["rooms"] == left


def test_plain_values_of_a_list(scim):
    path = f"/Devices/{create(scim, tags=['a', 'b'])['id']}"
    for operation, expected in (
        ({"op": "add", "path": "tags", "value": ["c"]}, ["a", "b", "c"]),
        ({"op": "add", "path": "tags", "value": "d"}, ["a", "b", "c", "d"]),
        ({"op": "add", "path": "tags", "value": ["a"]}, ["a", "b", "c", "d"]),
        ({"op": "remove", "path": 'tags[value eq "b"]'}, ["a", "c", "d"]),
        ({"op": "replace", "path": "tags", "value": ["x", "y"]}, ["x", "y"]),
        ({"op": "remove", "path": "tags"}, None),
    ):
        answer = scim.patch_op(path, operation)
        assert answer.status == 200, answer.body
        assert answer.body.get("tags") == expected


def test_required_extension(make_scim):
    urn = "urn:example:params:scim:schemas:extension:badge:2.0:User"
    attributes = [{"name": "number", "type": "string", "required": True}]
    scim = make_scim(
        schemas=[{"id": urn, "name": "Badge", "extends": "User", "required": True, "attributes": attributes}]
    )
    extensions = scim.read("/ResourceTypes/User")["schemaExtensions"]
    assert [one["required"] for one in extensions if one["schema"] == urn] == [True]
    assert refusal(scim.post("/Users", {"userName": "ali"})) == (400, "invalidValue")
    user = scim.create_user(**{urn: {"number": "7"}})
    path = f"/Users/{user['id']}"
    for operation in ({"op": "remove", "path": urn}, {"op": "remove", "path": f"{urn}:number"}):
        assert refusal(scim.patch_op(path, operation)) == (400, "mutability")
    assert scim.read(path) == user


def test_required_attribute_of_an_extension_that_is_not(make_scim):
    urn = "urn:example:params:scim:schemas:extension:badge:2.0:User"
    attributes = [{"name": "number", "type": "string", "required": True}, {"name": "color", "type": "string"}]
    scim = make_scim(schemas=[{"id": urn, "name": "Badge", "extends": "User", "attributes": attributes}])
    assert urn not in scim.create_user()
    assert refusal(scim.post("/Users", {"userName": "ali", urn: {"color": "red"}})) == (400, "invalidValue")
