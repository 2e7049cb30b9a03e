"""When users were disabled, and which of them are purged."""

import time
from dataclasses import replace

import pytest

from scim.directory.purge import Purge

LONG_AGO = "2020-01-01T00:00:00.000000Z"


@pytest.fixture
def kept(make_logged):
    return make_logged(directory={"purge_disabled_after_days": 30})


def purge(logged) -> Purge:
    return logged.app.extensions["tinyscim.purge"]


def switch(logged, user, active):
    logged.scim.patch_op(f"/Users/{user['id']}", {"op": "Replace", "path": "active", "value": str(active)})


def age(logged, user):
    """Let it be long ago that the user was disabled."""
    with logged.store.writing() as writer:
        writer.replace("Disabled", {"id": user["id"], "since": LONG_AGO})


def since(logged, user):
    service = logged.app.extensions["tinyscim"]
    return service.resources("").disabled_since(service.registry.types["User"], [user["id"]]).get(user["id"])


def test_since_when_is_the_time_of_disablement_whatever_comes_after(logged):
    ann = logged.scim.create_user()
    assert since(logged, ann) is None
    switch(logged, ann, False)
    disabled = logged.scim.read(f"/Users/{ann['id']}")["meta"]["lastModified"]
    logged.scim.patch_op(f"/Users/{ann['id']}", {"op": "Add", "path": "title", "value": "Former cook"})
    assert since(logged, ann) == disabled
    assert disabled < logged.scim.read(f"/Users/{ann['id']}")["meta"]["lastModified"]
    switch(logged, ann, True)
    assert since(logged, ann) is None


def test_since_when_is_known_of_who_came_disabled(logged):
    ann = logged.scim.create_user(active=False)
    assert since(logged, ann) == ann["meta"]["created"]
    assert "since" not in str(logged.scim.read(f"/Users/{ann['id']}"))


def test_of_who_came_by_another_way_it_is_the_latest_possible_time(logged):
    ann = logged.scim.create_user(active=False)
    with logged.store.writing() as writer:
        writer.delete("Disabled", ann["id"])
    assert since(logged, ann) == ann["meta"]["lastModified"]


def test_a_refused_disablement_is_none(logged):
    ann = logged.scim.create_user()
    off, wrong = ({"op": "replace", "path": path, "value": "False"} for path in ("active", "nothing"))
    assert logged.scim.patch_op(f"/Users/{ann['id']}", off, wrong).status == 400
    assert since(logged, ann) is None


def test_who_has_been_disabled_for_long_enough_goes_and_the_log_says_so(kept):
    ann, bob, cleo = (kept.scim.create_user(userName=name) for name in ("ann", "bob", "cleo"))
    group = kept.scim.create_group(members=[{"value": ann["id"]}])
    switch(kept, ann, False)
    switch(kept, bob, False)
    age(kept, ann)
    assert purge(kept).run() == 1
    assert [kept.scim.get(f"/Users/{user['id']}").status for user in (ann, bob, cleo)] == [404, 200, 200]
    assert kept.scim.read(f"/Groups/{group['id']}")["members"] == []
    entry = kept.entries(action="purged")[-1]
    assert (entry.who.user_name, entry.cause, entry.by, entry.status) == ("ann", "purge", "", 204)
    assert purge(kept).run() == 0


def test_who_was_restored_stays(kept):
    ann = kept.scim.create_user(active=False)
    age(kept, ann)
    switch(kept, ann, True)
    switch(kept, ann, False)
    assert purge(kept).run() == 0


def test_who_is_restored_while_the_purge_is_at_work_stays(kept, monkeypatch):
    ann = kept.scim.create_user(active=False)
    age(kept, ann)
    found = type(kept.app.extensions["tinyscim"].resources("")).disabled_before

    def and_then_restored(resources, kind, moment):
        due = found(resources, kind, moment)
        switch(kept, ann, True)
        return due

    monkeypatch.setattr("scim.directory.resources.Resources.disabled_before", and_then_restored)
    assert purge(kept).run() == 0
    assert kept.scim.read(f"/Users/{ann['id']}")["active"] is True


def test_no_user_is_purged_when_off(logged):
    ann = logged.scim.create_user(active=False)
    age(logged, ann)
    assert purge(logged).run() == 0
    assert logged.scim.get(f"/Users/{ann['id']}").status == 200


def test_only_one_worker_purges_at_a_time(kept):
    ann = kept.scim.create_user(active=False)
    age(kept, ann)
    with kept.store.exclusive("purge"):
        assert purge(kept).run() == 0
    assert purge(kept).run() == 1


def test_deleting_who_was_disabled_leaves_nothing_behind(logged):
    ann = logged.scim.create_user(active=False)
    logged.scim.delete(f"/Users/{ann['id']}")
    with logged.store.reading() as reader:
        assert list(reader.scan("Disabled")) == []


@pytest.fixture
def looking(monkeypatch):
    """A purge that looks often, and the faults that it meets first."""
    monkeypatch.setattr("scim.directory.purge.EVERY", 0.02)
    faults, run = [], Purge.run

    def faulty(self):
        if faults:
            raise faults.pop()
        return run(self)

    monkeypatch.setattr(Purge, "run", faulty)
    return faults


def gone_within_seconds(logged, user):
    for _ in range(200):
        if logged.scim.get(f"/Users/{user['id']}").status == 404:
            return True
        time.sleep(0.02)
    return False


def test_a_purge_that_is_turned_on_later_needs_no_restart(logged, looking, monkeypatch):
    ann = logged.scim.create_user(active=False)
    age(logged, ann)
    purge(logged).start()
    time.sleep(0.1)
    assert logged.scim.get(f"/Users/{ann['id']}").status == 200
    service = logged.app.extensions["tinyscim"]
    now = service.live_config.current
    then = replace(now, directory=replace(now.directory, purge_disabled_after_days=30))
    monkeypatch.setattr(type(service.live_config), "current", property(lambda self: then))
    assert gone_within_seconds(logged, ann)


def test_a_purge_that_fails_says_so_and_goes_on(kept, looking, caplog):
    looking += [RuntimeError("broken"), OSError("full")]
    ann = kept.scim.create_user(active=False)
    age(kept, ann)
    purge(kept).start()
    assert gone_within_seconds(kept, ann)
    assert "could not be purged: full" in caplog.text
    assert "RuntimeError: broken" in caplog.text
