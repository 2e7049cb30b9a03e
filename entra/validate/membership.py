"""Cases of groups and their members."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from entra.dialect import ADSCIM_GROUP
from entra.targets import CORE_GROUP
from entra.validate.cases import Section
from entra.validate.probe import Op, Probe, member_ids

SECTION = Section("Groups")
case = SECTION.case
EMPTIED = "A group loses members that nobody removed."


@case(
    "A group is created with an empty list of members, and with Microsoft's own schema listed",
    effect="No group is ever created.",
    fix="Ignore unknown URNs in schemas, and an empty members list.",
    both=False,
)
def _create_group(probe: Probe) -> None:
    documented = {**probe.group(), "schemas": [CORE_GROUP, ADSCIM_GROUP]}
    del documented["members"]
    for body in (probe.group(), documented):
        group = probe.read("Group", probe.create("Group", body)["id"])
        for name in ("displayName", "externalId"):
            probe.expect(group.get(name) == body[name], f"{name} came back as {group.get(name)!r}")


@case(
    "Members are added one by one, and several at once",
    effect="Members are missing, or the PATCH fails in every cycle.",
    fix="Add to what is there; a member who is there already is a success. Answer 204.",
)
def _add_members(probe: Probe) -> None:
    group, users = probe.new_group(), [probe.new_user()["id"] for _ in range(4)]
    extra = {} if probe.flag else {"$ref": None}
    for user in (users[0], users[1], users[0]):
        probe.patch("Group", group["id"], ("add", "members", [{**extra, "value": user}]))
    probe.patch("Group", group["id"], ("add", "members", [{**extra, "value": u} for u in users[1:]]))
    _expect_members(probe, group["id"], set(users))


@case(
    "Removing a member removes that one only",
    effect=EMPTIED,
    fix="Remove the members that the value or the filter names; one who is not there is a success.",
)
def _remove_member(probe: Probe) -> None:
    group, users = probe.new_group(), [probe.new_user()["id"] for _ in range(3)]
    probe.patch("Group", group["id"], ("add", "members", [{"value": u} for u in users]))
    for _ in range(2):
        probe.patch("Group", group["id"], *_removal(probe, users[0]))
        _expect_members(probe, group["id"], set(users[1:]))


@case(
    "One PATCH adds some members and removes others",
    effect="Members are missing or stay.",
    fix="Apply the operations in their order.",
)
def _add_and_remove(probe: Probe) -> None:
    group, users = probe.new_group(), [probe.new_user()["id"] for _ in range(2)]
    probe.patch("Group", group["id"], ("add", "members", [{"value": users[0]}]))
    probe.patch("Group", group["id"], ("add", "members", [{"value": users[1]}]), *_removal(probe, users[0]))
    _expect_members(probe, group["id"], {users[1]})


@case(
    "Five members are added to one group at the same moment",
    effect=EMPTIED + " Entra patches the same group from about five connections at once.",
    fix="Serialise changes of one group: read, change and write under one lock.",
)
def _membership_race(probe: Probe) -> None:
    group, users = probe.new_group(), [probe.new_user()["id"] for _ in range(10)]

    def add(user: str) -> int | None:
        return probe.try_patch("Group", group["id"], ("add", "members", [{"value": user}])).status

    with ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(add, users))
    refused = [s for s in statuses if s not in (200, 204)]
    probe.expect(not refused, f"{len(refused)} of 10 were refused with {refused[:3]}")
    _expect_members(probe, group["id"], set(users))


@case(
    "A group is renamed and described, and keeps its members",
    effect=EMPTIED,
    fix="Touch nothing but the attributes of the PATCH; accept externalId and description.",
)
def _rename_group(probe: Probe) -> None:
    group, user = probe.new_group(), probe.new_user()["id"]
    probe.patch("Group", group["id"], ("add", "members", [{"value": user}]))
    name, anchor = probe.unique("renamed"), str(uuid.uuid4())
    probe.patch("Group", group["id"], *probe.replace({"displayName": name}))
    probe.patch("Group", group["id"], ("add", "externalId", anchor))
    found = probe.read("Group", group["id"])
    probe.expect(found.get("displayName") == name, f"displayName is {found.get('displayName')!r}, not {name!r}")
    probe.expect(found.get("externalId") == anchor, f"externalId is {found.get('externalId')!r}, not {anchor!r}")
    _expect_members(probe, group["id"], {user})


@case(
    "A group's description is stored, if it is mapped",
    effect="The description is sent again in every cycle.",
    fix="Accept description on groups (core SCIM has none).",
    only_warn=True,
)
def _group_description(probe: Probe) -> None:
    group = probe.new_group(description="First")
    found = probe.read("Group", group["id"]).get("description")
    probe.expect(found == "First", f"description came back as {found!r}")
    probe.patch("Group", group["id"], *probe.replace({"description": "Second"}))
    found = probe.read("Group", group["id"]).get("description")
    probe.expect(found == "Second", f"after a patch description is {found!r}")


@case(
    "A group that was deleted is matched as missing and made again",
    effect="A group that is assigned again conflicts for ever.",
    fix="Answer 204 to the delete, and forget the group's name.",
)
def _delete_group(probe: Probe) -> None:
    body = probe.group()
    group = probe.create("Group", body)
    probe.expect_status(probe.send("DELETE", f"/Groups/{group['id']}"), 204, 200)
    probe.expect(probe.search("Group", f'displayName eq "{body["displayName"]}"') == [], "the deleted group is found")
    probe.create("Group", body)


@case(
    "A deleted user leaves the groups",
    effect="Groups fill up with members that are no more.",
    fix="Remove memberships with the user.",
    only_warn=True,
    both=False,
)
def _deleted_member(probe: Probe) -> None:
    group, users = probe.new_group(), [probe.new_user()["id"] for _ in range(2)]
    probe.patch("Group", group["id"], ("add", "members", [{"value": u} for u in users]))
    probe.expect_status(probe.send("DELETE", f"/Users/{users[0]}"), 204, 200)
    _expect_members(probe, group["id"], {users[1]})


def _removal(probe: Probe, user: str) -> list[Op]:
    if probe.flag:
        return [("remove", f'members[value eq "{user}"]')]
    return [("remove", "members", [{"value": user}])]


def _expect_members(probe: Probe, group: str, wanted: set[str]) -> None:
    found = member_ids(probe.read("Group", group))
    missing, surplus = wanted - found, found - wanted
    probe.expect(not missing, f"{len(missing)} of {len(wanted)} members are missing")
    probe.expect(not surplus, f"{len(surplus)} members are there who should not be")
