"""Failures by cause, until they are solved."""

import pytest

from provisioning_log import activity_of
from provisioning_log.activity import Activity
from tests.support.urns import USER

BAD = {"op": "replace", "path": "active", "value": "perhaps"}
GOOD = {"op": "replace", "path": "active", "value": False}


def causes(logged, since=""):
    return logged.log.failures(since, activity_of(logged.app).read())


def test_failures_are_grouped_by_cause(logged):
    scim = logged.scim
    for name in ("ann", "ann", "ann", "bob", "bob"):
        scim.post("/Users", {"schemas": [USER], "userName": name})
    scim.post("/Users", {"schemas": [USER]})
    scim.get("/Users", headers={"Authorization": "Bearer wrong"})
    taken, missing = causes(logged)
    assert (taken.title, taken.count) == ('Another User has the userName "…".', 3)
    assert taken.example.who.user_name == "bob"
    assert "a matching attribute" in taken.advice
    assert (missing.title, missing.count) == ("userName is required.", 1)
    assert causes(logged, "2999") == []


@pytest.mark.parametrize("later", ["patch", "put", "delete"])
def test_a_failed_update_is_solved_by_a_later_update_or_the_deletion(logged, later):
    path, other = (f"/Users/{logged.scim.create_user(displayName=name)['id']}" for name in ('A"}', "B"))
    logged.scim.patch_op(path, GOOD)
    logged.scim.patch_op(path, BAD)
    logged.scim.patch_op(other, BAD)
    assert [cause.count for cause in causes(logged)] == [2]
    if later == "patch":
        logged.scim.patch_op(path, {**GOOD, "value": True})
    elif later == "put":
        logged.scim.put(path, {"schemas": [USER], "userName": "ann"})
    else:
        logged.scim.delete(path)
    (left,) = causes(logged)
    assert (left.count, left.example.path) == (1, f"/api/scim/v2{other}")


def test_a_failed_creation_is_solved_by_the_creation(logged):
    for name in ("Ann", "Eve}"):
        logged.scim.post("/Users", {"schemas": [USER], "userName": name, "active": "perhaps"})
    logged.scim.create_user(userName="carl", displayName="dora")
    assert [cause.count for cause in causes(logged)] == [2]
    logged.scim.create_user(userName="ann")
    assert [cause.count for cause in causes(logged)] == [1]
    logged.scim.create_user(userName="eve}")
    assert causes(logged) == []


def test_a_failed_query_is_solved_once_a_later_cycle_does_not_repeat_it(logged):
    logged.scim.query("/Users", filter="userName")
    assert [cause.count for cause in causes(logged)] == [1]
    activity = activity_of(logged.app).read()
    activity.cycles[-1].start += 600  # the next cycle
    assert logged.log.failures("", activity) == []
    assert [cause.count for cause in logged.log.failures("", Activity())] == [1]
