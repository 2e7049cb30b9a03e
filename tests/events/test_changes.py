"""Each way in which a resource changes is one event, exactly once and in order."""

from itertools import chain

import pytest

from storage.maintenance.transfer import export_lines, import_lines
from tests.support.events import Reader, rebuilt
from tests.support.urns import ENT, GROUP, USER


def create(reader, name, **rest):
    body = {"schemas": [USER], "userName": name, "externalId": f"x-{name}", "active": True, **rest}
    return reader.entra.post("/Users", body).body["id"]


def group(reader, name, *members):
    body = {"schemas": [GROUP], "displayName": name, "members": [{"value": id} for id in members]}
    return reader.entra.post("/Groups", body).body["id"]


def replace(path, value):
    return {"op": "Replace", "path": path, "value": value}


def test_an_event_has_its_type_resource_data_and_changes(reader):
    ann = create(reader, "ann", displayName="Ann")
    reader.entra.patch_op(f"/Users/{ann}", replace("displayName", "Anna"))
    made, changed = reader.new()
    named = {"type": "User", "id": ann, "externalId": "x-ann", "userName": "ann"}
    assert made["resource"] == changed["resource"] == named
    assert (made["type"], made["changes"], made["data"]["displayName"]) == ("user.created", {}, "Ann")
    assert (changed["type"], changed["changes"]) == ("user.updated", {"displayName": ["Ann", "Anna"]})
    assert changed["data"] == reader.entra.get(f"/Users/{ann}").body
    assert made["data"]["meta"]["location"] == f"http://localhost/api/scim/v2/Users/{ann}"
    assert len({made["id"], changed["id"]}) == 2
    assert made["time"] < changed["time"]
    assert list(changed) == ["id", "cursor", "time", "type", "resource", "data", "changes"]


def test_users_are_disabled_and_enabled_with_what_else_changes(reader):
    ann = create(reader, "ann")
    reader.entra.patch_op(f"/Users/{ann}", replace("active", "False"), replace("title", "None"))
    reader.entra.patch_op(f"/Users/{ann}", replace("active", "True"))
    reader.entra.put(f"/Users/{ann}", {"schemas": [USER], "userName": "anna", "active": True})
    _, disabled, enabled, replaced = reader.new()
    assert (disabled["type"], disabled["changes"]) == (
        "user.disabled",
        {"active": [True, False], "title": [None, "None"]},
    )
    assert (enabled["type"], enabled["changes"]) == ("user.enabled", {"active": [False, True]})
    assert replaced["type"] == "user.updated"
    assert replaced["changes"] == {
        "userName": ["ann", "anna"],
        "externalId": ["x-ann", None],
        "title": ["None", None],
    }


def test_what_changes_nothing_and_what_fails_is_no_event(reader):
    ann = create(reader, "ann")
    reader.new()
    reader.entra.patch_op(f"/Users/{ann}", replace("userName", "ann"))
    reader.entra.post("/Users", {"schemas": [USER], "userName": "ann"})
    reader.entra.delete("/Users/unknown")
    reader.entra.get(f"/Users/{ann}")
    assert reader.new() == []


def test_members_come_and_go_without_an_update_of_the_group(reader):
    ann, bob = create(reader, "ann"), create(reader, "bob")
    sales = group(reader, "Sales", ann)
    reader.new()
    reader.entra.patch_op(f"/Groups/{sales}", {"op": "Add", "path": "members", "value": [{"value": bob}]})
    reader.entra.patch_op(f"/Groups/{sales}", {"op": "Remove", "path": "members", "value": [{"value": ann}]})
    added, removed = reader.new()
    assert (added["type"], added["data"], added["changes"]) == (
        "group.member_added",
        {"value": bob, "type": "User"},
        {},
    )
    assert added["resource"] == {"type": "Group", "id": sales, "displayName": "Sales"}
    assert (removed["type"], removed["data"]["value"]) == ("group.member_removed", ann)


def test_a_renamed_group_has_no_members_in_its_data(reader):
    sales = group(reader, "Sales", create(reader, "ann"))
    assert reader.types() == ["user.created", "group.created", "group.member_added"]
    reader.entra.patch_op(f"/Groups/{sales}", replace("displayName", "Marketing"))
    (renamed,) = reader.new()
    assert (renamed["type"], renamed["changes"]) == ("group.updated", {"displayName": ["Sales", "Marketing"]})
    assert "members" not in renamed["data"]


def test_a_deleted_user_leaves_each_group_before(reader):
    ann = create(reader, "ann")
    groups = [group(reader, name, ann) for name in ("A", "B")]
    reader.new()
    reader.entra.delete(f"/Users/{ann}")
    first, second, deleted = reader.new()
    assert [first["resource"]["id"], second["resource"]["id"]] == groups
    assert first["type"] == second["type"] == "group.member_removed"
    assert first["data"] == second["data"] == {"value": ann, "type": "User"}
    assert (deleted["type"], deleted["resource"]["userName"], deleted["data"]["id"]) == ("user.deleted", "ann", ann)


def test_a_deleted_group_is_one_event(reader):
    sales = group(reader, "Sales", create(reader, "ann"), create(reader, "bob"))
    whole = group(reader, "Whole", sales)
    reader.new()
    reader.entra.delete(f"/Groups/{sales}")
    left, deleted = reader.new()
    assert (left["type"], left["resource"]["id"], left["data"]) == (
        "group.member_removed",
        whole,
        {"value": sales, "type": "Group"},
    )
    assert deleted["type"] == "group.deleted"


def test_who_had_a_deleted_manager_is_updated(reader):
    boss = create(reader, "boss")
    create(reader, "ann", **{ENT: {"manager": {"value": boss}}})
    reader.new()
    reader.entra.delete(f"/Users/{boss}")
    updated, deleted = reader.new()
    assert (updated["type"], updated["changes"]) == (
        "user.updated",
        {f"{ENT}:manager": [{"value": boss}, None]},
    )
    assert deleted["type"] == "user.deleted"


def test_the_operations_of_a_bulk_request_are_events_in_their_order(reader):
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"schemas": [USER], "userName": "ann"}},
        {
            "method": "POST",
            "path": "/Groups",
            "bulkId": "g",
            "data": {"schemas": [GROUP], "displayName": "G", "members": [{"value": "bulkId:a"}]},
        },
        {"method": "DELETE", "path": "/Users/bulkId:a"},
    ]
    schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
    assert reader.entra.post("/Bulk", {"schemas": schemas, "Operations": operations}).status == 200
    assert reader.types() == [
        "user.created",
        "group.created",
        "group.member_added",
        "group.member_removed",
        "user.deleted",
    ]


def test_a_circle_of_references_in_a_bulk_request_leads_to_the_directory(reader):
    def make(own, other):
        data = {"schemas": [GROUP], "displayName": own, "members": [{"value": f"bulkId:{other}"}]}
        return {"method": "POST", "path": "/Groups", "bulkId": own, "data": data}

    schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
    reader.entra.post("/Bulk", {"schemas": schemas, "Operations": [make("a", "b"), make("b", "a")]})
    resources, members = rebuilt(reader.new())
    assert len(resources) == 2
    assert members == {tuple(resources), tuple(reversed(list(resources)))}


def test_what_the_service_deletes_by_itself_is_an_event(reader):
    ann = create(reader, "ann")
    reader.new()
    service = reader.app.extensions["tinyscim"]
    version = reader.entra.get(f"/Users/{ann}").body["meta"]["version"]
    service.remove(service.registry.types["User"], ann, version, "purge")
    assert reader.types() == ["user.deleted"]


def test_thousands_of_members_at_once_are_events_of_their_own(reader):
    sales = group(reader, "Sales")
    ids = [f"member-{number}" for number in range(2_500)]
    reader.entra.patch_op(f"/Groups/{sales}", {"op": "Add", "path": "members", "value": [{"value": id} for id in ids]})
    pages = []
    while page := reader.new(types="group.member_added"):
        pages.append([event["data"]["value"] for event in page])
    assert [len(page) for page in pages] == [1000, 1000, 500]
    assert list(chain.from_iterable(pages)) == ids


def test_secrets_are_in_no_event(reader):
    ann = create(reader, "ann", password="tops3cret")
    reader.entra.patch_op(f"/Users/{ann}", replace("password", "tops3cret2"), replace("title", "x"))
    assert "tops3cret" not in str(reader.new())


HIDDEN = {
    "id": "urn:example:Device",
    "name": "Device",
    "endpoint": "/Devices",
    "attributes": [
        {"name": "serial", "required": True},
        {"name": "active", "type": "boolean"},
        {"name": "pin", "returned": "request"},
        {"name": "lock", "type": "complex", "subAttributes": [{"name": "kind"}, {"name": "code", "returned": "never"}]},
    ],
}


def test_configured_types_have_events_without_what_is_never_returned():
    reader = Reader(schemas=[HIDDEN])
    body = {"schemas": [HIDDEN["id"]], "serial": "1", "pin": "4711", "lock": {"kind": "a", "code": "4711"}}
    id = reader.entra.post("/Devices", body).body["id"]
    reader.entra.patch_op(f"/Devices/{id}", replace("lock", {"kind": "b", "code": "47112"}), replace("active", False))
    reader.entra.patch_op(f"/Devices/{id}", replace("pin", "47113"))
    reader.entra.delete(f"/Devices/{id}")
    _, disabled, hidden, _ = events = reader.new()
    assert [event["type"] for event in events] == [
        "device.created",
        "device.disabled",
        "device.updated",
        "device.deleted",
    ]
    assert disabled["changes"]["lock"] == [{"kind": "a"}, {"kind": "b"}]
    assert hidden["changes"] == {}
    assert "4711" not in str(events)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_of_any_size_have_each_event_once(reader, limit):
    ann = create(reader, "ann")
    for number in range(3):
        group(reader, f"G{number}", ann)
    reader.entra.delete(f"/Users/{ann}")
    whole, paged, cursor = reader.new(), [], ""
    while page := reader.get(after=cursor, limit=limit).body["events"]:
        assert len(page) <= limit
        cursor = page[-1]["cursor"]
        paged += page
    assert paged == whole
    for number, event in enumerate(whole):
        assert reader.get(after=event["cursor"]).body["events"] == whole[number + 1 :]


def test_an_import_is_events(reader):
    ann = create(reader, "ann")
    group(reader, "Sales", ann)
    service = reader.app.extensions["tinyscim"]
    with service.store.reading() as view:
        lines = [line.encode() for line in export_lines(view, ["Group", "Membership", "User"])]
    reader.entra.delete(f"/Users/{ann}")
    before = rebuilt(reader.new())
    assert import_lines(service.feed.writing, lines) == {"inserted": 2, "replaced": 1, "unchanged": 0}
    imported = reader.new()
    assert [event["type"] for event in imported] == ["user.created", "group.member_added"]
    assert imported[0]["data"]["id"] == imported[1]["data"]["value"] == ann
    assert ann not in before[0]
