"""Cases of groups and their members."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from entra.dialect import ADSCIM_GROUP
from entra.targets import CORE_GROUP
from entra.validate.cases import REPEATED, Section
from entra.validate.probe import Op, Probe, addition, member_ids

SECTION = Section("Groups")
case, case_once = SECTION.case, SECTION.case_once
LOST = "A group loses members that were not removed in Entra."


@case_once("No group is ever created.", "Ignore unknown URNs in schemas, and an empty members list.")
def create_group(probe: Probe) -> None:
    """A group is created with an empty list of members, and with Microsoft's own schema URN."""
    documented = {**probe.group(), "schemas": [CORE_GROUP, ADSCIM_GROUP]}
    del documented["members"]
    for body in (probe.group(), documented):
        group = probe.create("Group", body)["id"]
        probe.expect_values("Group", group, {name: body[name] for name in ("displayName", "externalId")})


@case("Members are missing, or the PATCH fails.", "Add to the existing members; a second add succeeds. Return 204.")
def add_members(probe: Probe) -> None:
    """Members are added one by one, and several at once."""
    group, users = probe.create_group(), [probe.create_user() for _ in range(4)]
    extra = {} if probe.flag else {"$ref": None}
    for user in (users[0], users[1], users[0]):
        probe.patch("Group", group, ("add", "members", [{**extra, "value": user}]))
    probe.patch("Group", group, ("add", "members", [{**extra, "value": u} for u in users[1:]]))
    _expect_members(probe, group, *users)


@case(LOST, "Remove only the members that the value or the filter names; removing one a second time succeeds.")
def remove_member(probe: Probe) -> None:
    """A removal of one member keeps the others."""
    users = [probe.create_user() for _ in range(3)]
    group = probe.create_group(*users)
    for _ in range(2):
        probe.patch("Group", group, _removal(probe, users[0]))
        _expect_members(probe, group, *users[1:])


@case("Members are missing, or are not removed.", "Apply the operations in their order.")
def add_and_remove(probe: Probe) -> None:
    """One PATCH adds some members and removes others."""
    old, new = probe.create_user(), probe.create_user()
    group = probe.create_group(old)
    probe.patch("Group", group, addition(new), _removal(probe, old))
    _expect_members(probe, group, new)


@case(LOST, "Serialise changes of one group: read, change and write under one lock.")
def membership_race(probe: Probe) -> None:
    """Members are added to one group from five connections at the same time, as Entra does."""
    group, users = probe.create_group(), [probe.create_user() for _ in range(10)]
    with ThreadPoolExecutor(5) as pool:
        exchanges = list(pool.map(lambda user: probe.try_patch("Group", group, addition(user)), users))
    probe.expect_all(exchanges, 200, 204)
    _expect_members(probe, group, *users)


@case(LOST, "Change only the attributes in the PATCH; accept externalId and description.")
def rename_group(probe: Probe) -> None:
    """A group keeps its members when it is renamed."""
    user = probe.create_user()
    group = probe.create_group(user)
    name, external_id = probe.unique("renamed"), str(uuid.uuid4())
    probe.patch("Group", group, *probe.replace({"displayName": name}))
    probe.patch("Group", group, ("add", "externalId", external_id))
    probe.expect_values("Group", group, {"displayName": name, "externalId": external_id})
    _expect_members(probe, group, user)


@case(REPEATED, "Accept description on groups (core SCIM does not define it).", only_warn=True)
def group_description(probe: Probe) -> None:
    """A group's description is stored if it is mapped."""
    group = probe.create_group(description="First")
    probe.expect_values("Group", group, {"description": "First"})
    probe.patch("Group", group, *probe.replace({"description": "Second"}))
    probe.expect_values("Group", group, {"description": "Second"})


@case("A group that is assigned again gets a conflict.", "Return 204 for the delete, and release the group's name.")
def delete_group(probe: Probe) -> None:
    """A deleted group is not found and can be created again."""
    body = probe.group()
    group = probe.create("Group", body)["id"]
    probe.expect_status(probe.send("DELETE", f"/Groups/{group}"), 204, 200)
    probe.expect_found("Group", f'displayName eq "{body["displayName"]}"')
    probe.create("Group", body)


@case_once("Groups keep members that do not exist.", "Remove the memberships with the user.", only_warn=True)
def deleted_member(probe: Probe) -> None:
    """A deleted user is removed from groups."""
    deleted, kept = probe.create_user(), probe.create_user()
    group = probe.create_group(deleted, kept)
    probe.expect_status(probe.send("DELETE", f"/Users/{deleted}"), 204, 200)
    _expect_members(probe, group, kept)


def _removal(probe: Probe, user: str) -> Op:
    if probe.flag:
        return ("remove", f'members[value eq "{user}"]')
    return ("remove", "members", [{"value": user}])


def _expect_members(probe: Probe, group: str, *wanted: str) -> None:
    found = member_ids(probe.read("Group", group))
    missing, surplus = set(wanted) - found, found - set(wanted)
    probe.expect(not missing, f"{len(missing)} of {len(wanted)} members are missing")
    probe.expect(not surplus, f"{len(surplus)} members should not be in the group")
