"""Cases of disabling, restoring and deleting users."""

import uuid

from entra.validate.cases import Section
from entra.validate.probe import Probe, member_ids

SECTION = Section("Deprovisioning")
case, case_once = SECTION.case, SECTION.case_once


@case("A restored user has no groups.", "Keep user and memberships while active is false; active true restores them.")
def restore(probe: Probe) -> None:
    """A disabled user who is assigned again is restored with all memberships."""
    body = probe.user()
    user = probe.create("User", body)["id"]
    group = probe.create_group(user)
    for active in (False, True):
        probe.patch("User", user, ("replace", "active", probe.boolean(active)))
        found = probe.expect_found("User", f'userName eq "{body["userName"]}"', user)
        probe.expect_equal("active", found[0].get("active"), active)
    members = member_ids(probe.read("Group", group))
    probe.expect(user in members, "disabling the user removed the membership")


@case_once(
    "A refused delete is ServiceIncompatible; any status except 404 afterwards fails the validator.",
    "Return 204, then 404 for DELETE, GET and PATCH of that id.",
)
def double_delete(probe: Probe) -> None:
    """A second delete of a user gets 404."""
    user = probe.create_user()
    probe.expect_status(probe.send("DELETE", f"/Users/{user}"), 204)
    probe.expect_status(probe.send("DELETE", f"/Users/{user}"), 404)
    probe.expect_status(probe.send("GET", f"/Users/{user}"), 404)
    probe.expect_status(probe.try_patch("User", user, ("replace", "displayName", "Deleted")), 404)


@case_once("A new user with the old name gets a conflict.", "Release the userName and externalId of a deleted user.")
def delete_frees_name(probe: Probe) -> None:
    """A deleted user is not found, and the name can be used again."""
    body = probe.user()
    user = probe.create("User", body)["id"]
    probe.expect_status(probe.send("DELETE", f"/Users/{user}"), 204)
    probe.expect_found("User", f'userName eq "{body["userName"]}"')
    probe.expect(probe.create("User", body)["id"] != user, "the id of a deleted user was used again")


@case_once("Entra considers a delete complete that was not.", "Return 404 for a DELETE of an unknown id.")
def delete_unknown(probe: Probe) -> None:
    """A delete of an unknown id gets 404."""
    for path in ("/Users", "/Groups"):
        probe.expect_status(probe.send("DELETE", f"{path}/{uuid.uuid4()}"), 404)
