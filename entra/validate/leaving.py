"""Cases of disabling, restoring and deleting users."""

from __future__ import annotations

import uuid

from entra.validate.cases import Section
from entra.validate.probe import Probe, member_ids

SECTION = Section("Leaving and coming back")
case = SECTION.case


@case(
    "A disabled user who is assigned again is restored, memberships and all",
    effect="Who comes back finds an account without groups: Entra does not send memberships again.",
    fix="Keep the user and the memberships through active false, and let active true bring them back.",
)
def _restore(probe: Probe) -> None:
    body = probe.user()
    user, group = probe.create("User", body), probe.new_group()
    probe.patch("Group", group["id"], ("add", "members", [{"value": user["id"]}]))
    for active in (False, True):
        probe.patch("User", user["id"], ("replace", "active", active if probe.flag else str(active)))
        found = probe.search("User", f'userName eq "{body["userName"]}"')
        probe.expect([r.get("id") for r in found] == [user["id"]], f"with active {active} the user is not found")
        probe.expect(found[0].get("active") is active, f"active is {found[0].get('active')!r}, not {active!r}")
    members = member_ids(probe.read("Group", group["id"]))
    probe.expect(user["id"] in members, "the membership did not survive being disabled")


@case(
    "A user is deleted once; the second time there is 404",
    effect="Refusing a delete is ServiceIncompatible; anything but 404 afterwards fails the validator.",
    fix="Answer 204, then 404 to DELETE, GET and PATCH of that id.",
    both=False,
)
def _double_delete(probe: Probe) -> None:
    user = probe.new_user()
    probe.expect_status(probe.send("DELETE", f"/Users/{user['id']}"), 204)
    probe.expect_status(probe.send("DELETE", f"/Users/{user['id']}"), 404)
    probe.expect_status(probe.send("GET", f"/Users/{user['id']}"), 404)
    probe.expect_status(probe.try_patch("User", user["id"], ("replace", "displayName", "Ghost")), 404)


@case(
    "A deleted user is not found, and the name is free again",
    effect="A new hire who gets the old name conflicts for ever.",
    fix="Forget a deleted user's userName and externalId.",
    both=False,
)
def _delete_frees_name(probe: Probe) -> None:
    body = probe.user()
    user = probe.create("User", body)
    probe.expect_status(probe.send("DELETE", f"/Users/{user['id']}"), 204)
    probe.expect(probe.search("User", f'userName eq "{body["userName"]}"') == [], "the deleted user is found")
    again = probe.create("User", body)
    probe.expect(again["id"] != user["id"], "the id of a deleted user was given again")


@case(
    "Deleting somebody unknown gets 404",
    effect="Entra takes a delete for done that was not.",
    fix="Answer 404 to a DELETE of an unknown id.",
    both=False,
)
def _delete_unknown(probe: Probe) -> None:
    for path in ("/Users", "/Groups"):
        probe.expect_status(probe.send("DELETE", f"{path}/{uuid.uuid4()}"), 404)
