"""The entries of changes and failures."""

import pytest

from provisioning_log import log_of
from provisioning_log.activity import Activity
from provisioning_log.entries import Entry, Subject
from provisioning_log.entry_reader import read_entry
from provisioning_log.export import as_exchange, as_row, summary

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def test_a_creation_says_who_and_every_value(logged):
    ann = logged.scim.create_user(userName="ann", displayName="Ann", **{ENTERPRISE: {"department": "R&D"}})
    entry = logged.last()
    assert (entry.actions, entry.status, entry.type, entry.by) == (("created",), 201, "User", "entra")
    assert (entry.who.id, entry.who.user_name, entry.who.name) == (ann["id"], "ann", "Ann")
    assert entry.changes["userName"] == [None, "ann"]
    assert entry.changes[f"{ENTERPRISE}:department"] == [None, "R&D"]
    assert not {"id", "meta", "schemas"} & set(entry.changes)
    assert entry.ms > 0


def test_an_update_has_the_old_and_the_new_value_of_what_changed_alone(logged):
    ann = logged.scim.create_user(title="Cook", displayName="Ann")
    logged.scim.patch_op(
        f"/Users/{ann['id']}",
        {"op": "Replace", "path": "title", "value": "Chef"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Kitchen"},
        {"op": "Remove", "path": "displayName"},
    )
    entry = logged.last()
    assert entry.actions == ("updated",)
    assert entry.changes == {
        "title": ["Cook", "Chef"],
        "displayName": ["Ann", None],
        f"{ENTERPRISE}:department": [None, "Kitchen"],
    }


@pytest.mark.parametrize(("value", "action"), [("False", "disabled"), ("True", "restored")])
def test_active_alone_is_a_disablement_or_a_restoration(logged, value, action):
    ann = logged.scim.create_user(active=action == "disabled")
    logged.scim.patch_op(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": value})
    assert logged.last().actions == (action,)
    assert logged.last().changes == {"active": [action == "disabled", action != "disabled"]}


def test_a_disablement_with_other_changes_is_both(logged):
    ann = logged.scim.create_user()
    logged.scim.put(f"/Users/{ann['id']}", {**ann, "active": False, "title": "Former cook"})
    assert logged.last().actions == ("disabled", "updated")


def test_a_deletion_says_who_and_keeps_no_values(logged):
    ann = logged.scim.create_user(userName="ann", title="Cook")
    logged.scim.delete(f"/Users/{ann['id']}")
    entry = logged.last()
    assert (entry.actions, entry.who.user_name, entry.changes) == (("deleted",), "ann", {})


def test_the_entries_before_a_deletion_keep_their_values(logged):
    ann = logged.scim.create_user(title="Cook")
    logged.scim.delete(f"/Users/{ann['id']}")
    created, _ = logged.entries()
    assert created.changes["title"] == [None, "Cook"]


def test_joining_and_leaving_name_the_group_and_the_members(logged):
    ann, bob = logged.scim.create_user(userName="ann"), logged.scim.create_user(userName="bob")
    group = logged.scim.create_group(displayName="Cooks", members=[{"value": ann["id"]}])
    created = logged.last()
    logged.scim.patch_op(
        f"/Groups/{group['id']}",
        {"op": "Add", "path": "members", "value": [{"value": bob["id"]}, {"value": ann["id"]}, {"value": "nobody"}]},
        {"op": "Remove", "path": "members", "value": [{"value": ann["id"]}]},
    )
    moved = logged.last()
    assert created.actions == ("created", "joined")
    assert [who.name for who in created.joined] == ["ann"]
    assert (moved.actions, moved.who.name) == (("joined", "left"), "Cooks")
    assert [who.name for who in moved.joined] == ["bob", "nobody"]
    assert [who.name for who in moved.left] == ["ann"]


def test_replacing_members_logs_only_the_differences(logged):
    ann, bob, cleo = (logged.scim.create_user(userName=name) for name in ("ann", "bob", "cleo"))
    group = logged.scim.create_group(members=[{"value": ann["id"]}, {"value": bob["id"]}])
    members = [{"value": bob["id"]}, {"value": cleo["id"]}]
    logged.scim.patch_op(f"/Groups/{group['id']}", {"op": "replace", "path": "members", "value": members})
    entry = logged.last()
    assert [[who.name for who in people] for people in (entry.joined, entry.left)] == [["cleo"], ["ann"]]


def test_of_many_members_the_first_are_listed_and_all_are_counted(logged):
    members = [{"value": f"{number:08}"} for number in range(1_200)]
    logged.scim.create_group(members=members)
    entry = logged.last()
    assert (len(entry.joined), entry.moved) == (1_000, 1_200)
    row, exchange = as_row(entry), as_exchange(entry, logged.app.extensions["tinyscim"].registry)
    assert row["joined"].endswith("00000999; and 200 more, not listed")
    assert (row["moved"], exchange["moved"], exchange["unlisted"]) == (1_200, 1_200, 200)


@pytest.mark.parametrize(
    ("joined", "left", "moved", "said"),
    [
        (5, 0, 5, "joined n0, n1, n2 and 2 more"),
        (1_000, 0, 3_000, "joined n0, n1, n2 and 2,997 more"),
        (1_000, 4, 3_000, "joined n0, n1, n2 and 2,993 more; left n0, n1, n2 and 1 more"),
        (0, 1_000, 1_500, "left n0, n1, n2 and 1,497 more"),
        (9, 9, 30, "joined n0, n1, n2 and 6 more; left n0, n1, n2 and 6 more; 12 more joined or left"),
    ],
)
def test_unlisted_members_are_counted(monkeypatch, joined, left, moved, said):
    monkeypatch.setattr("provisioning_log.export._SHOWN_PEOPLE", 3)
    people = tuple(Subject(f"n{number}") for number in range(1_000))
    entry = Entry(
        "2026-01-31T12:00:00.000000Z", "1", ("joined",), joined=people[:joined], left=people[:left], moved=moved
    )
    assert f": {said} (" in summary(entry)


class Counting:
    """A transaction that counts what is looked at in it."""

    def __init__(self, transaction):
        self.transaction, self.writer, self.looked = transaction, None, 0

    def __enter__(self):
        self.writer = self.transaction.__enter__()
        return self

    def __exit__(self, *error):
        return self.transaction.__exit__(*error)

    def __getattr__(self, name):
        self.looked += name in ("get", "lookup", "scan")
        return getattr(self.writer, name)


def test_joining_a_large_group_looks_at_no_more_than_joining_a_small_one(logged, monkeypatch):
    costs = []
    for size in (10, 2_000):
        members = [{"value": f"{size}-{number}"} for number in range(size)]
        group, ann = logged.scim.create_group(members=members), logged.scim.create_user()
        with monkeypatch.context() as patched:
            transaction = Counting(logged.store.writing())
            patched.setattr(logged.store, "writing", lambda counting=transaction: counting)
            add = {"op": "Add", "path": "members", "value": [{"value": ann["id"]}]}
            assert logged.scim.patch_op(f"/Groups/{group['id']}", add).status == 204
        costs.append(transaction.looked)
    assert costs[0] == costs[1] > 0


def test_what_changes_nothing_is_not_logged(logged):
    ann = logged.scim.create_user(title="Cook")
    before = len(logged.entries())
    logged.scim.patch_op(f"/Users/{ann['id']}", {"op": "Replace", "path": "title", "value": "Cook"})
    logged.scim.get(f"/Users/{ann['id']}")
    logged.scim.query("/Users", filter='userName eq "ann"')
    logged.scim.get("/Schemas")
    assert len(logged.entries()) == before


def test_what_changes_nothing_but_has_unknown_attributes_is_logged(logged):
    ann = logged.scim.create_user()
    logged.scim.patch_op(f"/Users/{ann['id']}", {"op": "replace", "value": {"shoeSize": 43}})
    assert (logged.last().actions, logged.last().unknown) == (("unchanged",), ("shoeSize",))


def test_a_failed_read_is_logged_without_what_its_filter_asks_for(logged):
    logged.scim.query("/Users", filter='userName foo "ann-private"')
    unclosed = '(userName eq ann-private) and ("unclosed-private'
    logged.scim.query("/Users", filter=unclosed, startIndex="1", other="private")
    logged.scim.query("/Users", Filter="userName foo 'ann private' or title eq 'O'Private", STARTINDEX="1")
    logged.scim.query("/Users", filter="id foo", attributes="emails[value eq 'private']")
    assert [entry.query for entry in logged.entries()] == [
        {"filter": 'userName foo "?"'},
        {"filter": '(userName eq ?) and ("?"', "startIndex": "1"},
        {"filter": 'userName foo "?" or title eq "?"', "startIndex": "1"},
        {"filter": "id foo", "attributes": 'emails[value eq "?"]'},
    ]
    assert "private" not in logged.path.read_text()


def test_a_failure_has_the_request_the_answer_and_who_it_was_about(logged):
    ann = logged.scim.create_user(userName="ann")
    operation = {"op": "Replace", "path": "nothing", "value": "x"}
    answer = logged.scim.patch_op(f"/Users/{ann['id']}", operation, headers={"client-request-id": "theirs"})
    entry = logged.last()
    assert (entry.actions, entry.status, entry.failed) == (("failed",), 400, True)
    assert entry.request["Operations"] == [operation]
    assert entry.response == answer.body
    assert (entry.who.id, entry.who.user_name) == (ann["id"], "ann")
    assert (entry.client_request_id, entry.request_id) == ("theirs", answer.headers["X-Request-Id"])


def test_a_failed_creation_names_whom_it_was_about(logged):
    logged.scim.create_user(userName="ann")
    logged.scim.post("/Users", {"userName": "Ann", "displayName": "Ann B."})
    assert (logged.last().status, logged.last().who.name) == (409, "Ann B.")


def test_a_bulk_request_is_an_entry_for_each_operation(logged):
    answer = logged.scim.post(
        "/Bulk",
        {
            "schemas": [BULK],
            "Operations": [
                {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "ann"}},
                {"method": "POST", "path": "/Groups", "bulkId": "g", "data": group_of("bulkId:a")},
                {"method": "PATCH", "path": "/Users/nobody", "data": {"schemas": [], "Operations": []}},
            ],
        },
    )
    user, group, failed = logged.entries()
    assert (user.actions, user.who.name, user.path) == (("created",), "ann", "/api/scim/v2/Users")
    assert (group.actions, group.joined) == (("created", "joined"), (user.who,))
    assert (failed.status, failed.method, failed.path) == (404, "PATCH", "/api/scim/v2/Users/nobody")
    assert failed.response == answer.body["Operations"][2]["response"]
    assert {entry.request_id for entry in (user, group, failed)} == {answer.headers["X-Request-Id"]}


def group_of(*members):
    return {"displayName": "Cooks", "members": [{"value": member} for member in members]}


def test_the_history_of_a_user_has_the_groups_too(logged):
    ann, bob = logged.scim.create_user(userName="ann"), logged.scim.create_user()
    group = logged.scim.create_group(displayName="Cooks")
    for user in (ann, bob):
        add = {"op": "Add", "path": "members", "value": [{"value": user["id"]}]}
        logged.scim.patch_op(f"/Groups/{group['id']}", add)
    logged.scim.patch_op(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": "False"})
    actions = [row.entry.actions for row in logged.log.history(ann["id"], Activity())]
    assert actions == [("disabled",), ("joined",), ("created",)]


def test_a_log_that_is_off_keeps_nothing(make_logged, tmp_path):
    logged = make_logged(log={"path": ""})
    logged.scim.create_user()
    assert log_of(logged.app) is None
    assert list(tmp_path.iterdir()) == []


def test_a_failing_observer_does_not_fail_the_request(logged, caplog):
    def fail(event):
        raise RuntimeError("broken")

    logged.app.extensions["tinyscim"].observers.insert(0, fail)
    logged.scim.create_user()
    assert logged.last().actions == ("created",)
    assert "could not be observed" in caplog.text


def test_a_very_long_entry_is_shortened(logged):
    ann = logged.scim.create_user(title="x" * 10_000)
    assert len(logged.last().changes["title"][1]) < 2_100
    photos = [{"value": "y" * 1_900 + str(number)} for number in range(500)]
    logged.scim.put(f"/Users/{ann['id']}", {**ann, "photos": photos})
    assert len(logged.path.read_bytes().splitlines()[-1]) < 200_000


@pytest.mark.parametrize("value", [2**70, "half a pair: \ud800", 1.5e300, "\x1f\x7f\u2028é"])
def test_any_request_body_can_be_logged(value):
    entry = Entry(
        "2026-01-31T12:00:00.000000Z", "1", ("joined",), who=Subject("a"), joined=(Subject("b"),), request=value
    )
    assert read_entry(entry.to_line()) == entry._replace(unknown=(), changes={}, query={})
