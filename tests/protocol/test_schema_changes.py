"""An attribute whose type the configuration changes, over what was stored before: no request fails for it."""

from itertools import count
from shutil import rmtree

import pytest

from storage.tinydb_store import TinyDBStore

SHIP = "urn:contoso:ship"
VALUES = {
    "string": "text",
    "dateTime": "2026-01-31T12:00:00Z",
    "integer": 5,
    "boolean": True,
    "complex": {"value": "text", "kind": "brass"},
    "reference": {"value": "text"},
}
SUBS = {
    "complex": [{"name": "value", "required": True}, {"name": "kind"}],
    "reference": [
        {"name": "value"},
        {"name": "$ref", "type": "reference", "referenceTypes": ["User"], "mutability": "readOnly"},
    ],
}
LITERALS = {"integer": "5", "boolean": "true", "dateTime": f'"{VALUES["dateTime"]}"'}
KINDS = [*((type, False) for type in VALUES), ("string", True), ("complex", True), ("reference", True)]
TELLING = [("string", False), ("complex", True)]  # each takes a second


INNER = ('value eq "text"', 'kind eq "x"', "kind pr", 'not (kind eq "x")')
NUMBERS = count()


def value(kind):
    type, multi = kind
    return [VALUES[type]] if multi else VALUES[type]


def create(scim, kind):
    return scim.create_user(userName=f"user{next(NUMBERS)}", **{SHIP: {"badge": value(kind)}})["id"]


@pytest.fixture
def served(make_scim, tmp_path):
    """The service over one and the same data, with a badge of the type that is asked for."""
    stores = []

    def serve(kind, *, anew=False):
        type, multi = kind
        badge = {"name": "badge", "type": type, "multiValued": multi}
        if type in SUBS:
            badge |= {"type": "complex", "subAttributes": SUBS[type]}
        schema = {"id": SHIP, "name": "Ship", "extends": "User", "attributes": [badge]}
        path = f"{SHIP}:badge" + (".value" if type in SUBS else "")
        for store in stores:
            store.close()
        if anew:
            rmtree(tmp_path)
            tmp_path.mkdir()
        stores.append(TinyDBStore(tmp_path / "data.json", durability="os"))
        return make_scim(schemas=[schema], directory={"indexed_attributes": [path]}, store=stores[-1])

    yield serve
    stores[-1].close()


@pytest.mark.parametrize(
    "before", [kind if kind in TELLING else pytest.param(kind, marks=pytest.mark.long) for kind in KINDS], ids=str
)
def test_nothing_fails_for_what_is_of_an_older_type(served, before):
    for after in KINDS:
        scim = served(before, anew=True)
        old = [create(scim, before) for _ in range(7)]
        scim = served(after)
        new = create(scim, after)
        literal = LITERALS.get(after[0], '"text"')
        answers = [scim.query("/Users", filter=f"{SHIP}:badge[{inner}]") for inner in INNER]
        for path in (f"{SHIP}:badge", f"{SHIP}:badge.value"):
            for op in ("eq", "ne", "co", "gt"):
                comparison = f"{path} {op} {literal}"
                answers += [scim.query("/Users", filter=filter) for filter in (comparison, f"id pr and {comparison}")]
            answers += [scim.query("/Users", sortBy=path), scim.query("/Users", attributes=path)]
        certain = [scim.get("/Users"), *(scim.get(f"/Users/{id}") for id in old)]
        certain.append(scim.patch_op(f"/Users/{old[0]}", {"op": "add", "path": "title", "value": "Pilot"}))
        for path, sent in (("badge", value(after)), ("badge.kind", "x"), ('badge[value eq "text"]', value(after))):
            operations = [{"op": op, "path": f"{SHIP}:{path}", "value": sent} for op in ("add", "remove")]
            answers += [scim.patch_op(f"/Users/{id}", one) for id, one in zip(old, operations, strict=False)]
            old = old[2:]
        certain.append(scim.put(f"/Users/{old[0]}", {"userName": f"put {after}", SHIP: {"badge": value(after)}}))
        assert {answer.status for answer in answers} <= {200, 204, 400}, (before, after)
        assert {answer.status for answer in certain} == {200}, (before, after)
        assert new in scim.found("/Users", f"{SHIP}:badge eq {literal}")


def test_the_one_value_of_what_is_now_multi_valued_is_its_first(served):
    id = create(served(("string", False)), ("string", False))
    scim = served(("string", True))
    assert scim.patch_op(f"/Users/{id}", {"op": "add", "path": f"{SHIP}:badge", "value": ["more"]}).status == 200
    assert scim.read(f"/Users/{id}")[SHIP]["badge"] == ["text", "more"]


def test_what_is_of_an_older_type_stays_until_it_is_replaced(served):
    id = create(served(("string", False)), ("string", False))
    scim = served(("complex", False))
    before = scim.read(f"/Users/{id}")
    for path in ('badge[kind eq "x"]', "badge.kind"):
        assert scim.patch_op(f"/Users/{id}", {"op": "remove", "path": f"{SHIP}:{path}"}).status == 200
    assert scim.read(f"/Users/{id}") == before
    assert scim.patch_op(f"/Users/{id}", {"op": "remove", "path": f"{SHIP}:badge"}).status == 200
    assert SHIP not in scim.read(f"/Users/{id}")


def test_what_is_of_an_older_type_is_no_value_of_the_new_one(served):
    scim = served(("string", False))
    old = create(scim, ("string", False))
    scim = served(("dateTime", False))
    new = create(scim, ("dateTime", False))
    badge = f"{SHIP}:badge"
    assert scim.found("/Users", f'{badge} gt "2000-01-01T00:00:00Z"') == [new]
    assert scim.found("/Users", f'{badge} ne "{VALUES["dateTime"]}"') == [old]
    sorted_by_badge = scim.query("/Users", sortBy=badge).body["Resources"]
    assert [user["id"] for user in sorted_by_badge] == [new, old]
    assert scim.read(f"/Users/{old}")[SHIP]["badge"] == "text"
