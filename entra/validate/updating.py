"""Cases of updating users with PATCH."""

from entra.targets import ENTERPRISE, Target
from entra.validate.cases import REPEATED, Section
from entra.validate.creating import expect_manager
from entra.validate.probe import Op, Probe

SECTION = Section("Updating users")
case, case_once = SECTION.case, SECTION.case_once
NEVER = "The change is never stored: it fails in every cycle."
WORK_EMAIL = 'emails[type eq "work"].value'


@case_once(NEVER, "Compare op without case.")
def op_case(probe: Probe) -> None:
    """An operation's op may be in any case."""
    user = probe.create_user()
    for number, verb in enumerate(("Add", "add", "Replace", "replace", "REPLACE")):
        operations = [{"op": verb, "path": "displayName", "value": f"Name {number}"}]
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
        probe.expect_status(probe.send("PATCH", f"/Users/{user}", body=body), 200, 204)
        probe.expect_values("User", user, {"displayName": f"Name {number}"})


@case(
    "After 405 or 501 no user is ever updated; 200 without a body may break the client.",
    "Implement PATCH; return 204 without a body, or 200 with the whole resource.",
)
def patch_answer(probe: Probe) -> None:
    """PATCH is supported and returns 204, or 200 with the whole resource."""
    user = probe.create_user()
    exchange = probe.patch("User", user, ("replace", "displayName", "Changed"))
    if exchange.status == 200:
        body = exchange.response
        is_whole = isinstance(body, dict) and body.get("id") == user and body.get("userName")
        probe.expect(is_whole, "PATCH returned 200 without the resource")
    probe.expect_values("User", user, {"displayName": "Changed"})


@case("Users who left keep their access.", 'Accept active as a boolean or the string "False", with or without a path.')
def disable(probe: Probe) -> None:
    """A user is disabled and enabled by each form of the operation."""
    user = probe.create_user()
    forms: list[tuple[Op, bool]] = [
        (("replace", "active", probe.boolean(False)), False),
        (("add", "active", "True"), True),
        (("replace", None, {"active": False}), False),
        (("replace", "active", probe.boolean(True)), True),
        (("replace", None, {"active": "False"}), False),
    ]
    for operation, active in forms:
        probe.patch("User", user, operation)
        probe.expect_equal(f"active after {operation}", probe.read("User", user).get("active"), active)


@case(NEVER, "Accept one operation per attribute, and one without a path whose keys are dotted and URN paths.")
def several_attributes(probe: Probe) -> None:
    """One PATCH updates several attributes, in each dialect's form."""
    user = probe.create_user()
    values = {
        "displayName": "Bjfe",
        "name.givenName": "Kkom",
        "name.familyName": "Unua",
        f"{ENTERPRISE}:employeeNumber": "Aklq",
    }
    email = f"{probe.unique()}@contoso.example"
    probe.patch("User", user, ("replace", WORK_EMAIL, email), *probe.replace(values))
    probe.expect_values("User", user, {**values, WORK_EMAIL: email})


@case(NEVER, "Merge the object of an operation without a path into the resource.")
def nested_without_path(probe: Probe) -> None:
    """An operation without a path may contain nested objects."""
    user = probe.create_user(**{ENTERPRISE: {"employeeNumber": "1"}})
    nested = {"name": {"givenName": "Nested"}, ENTERPRISE: {"department": "Legal"}}
    probe.patch("User", user, ("add", None, nested))
    wanted = {"name.givenName": "Nested", f"{ENTERPRISE}:department": "Legal"}
    kept = {f"{ENTERPRISE}:employeeNumber": "1", "name.familyName": "O'Neill"}
    probe.expect_values("User", user, wanted | kept)


@case(NEVER, "Treat add and replace of a single value as the same operation.")
def add_is_replace(probe: Probe) -> None:
    """Add and replace both set a single value, whether or not there is one."""
    user = probe.create_user()
    for verb, value in (("replace", "One"), ("add", "Two"), ("replace", "Three")):
        probe.patch("User", user, (verb, "nickName", value))
        probe.expect_values("User", user, {"nickName": value})


@case(NEVER, "Create the element with the filter's type, once for several operations; never return noTarget.")
def valued_path_creates(probe: Probe) -> None:
    """A path that selects no element creates one."""
    user = probe.create_user()
    values = {
        'addresses[type eq "work"].streetAddress': "1 Main St",
        'addresses[type eq "work"].locality': "Dublin",
        'phoneNumbers[type eq "mobile"].value': "+353 85 1234567",
    }
    probe.patch("User", user, *(("add", path, value) for path, value in values.items()))
    probe.expect_values("User", user, values)
    count = len(probe.read("User", user).get("addresses") or [])
    probe.expect(count == 1, f"two operations on one address created {count}")


@case("A change of the mobile number removes the work number.", "Apply an operation only to the selected element.")
def valued_path_is_exact(probe: Probe) -> None:
    """A change of one element does not affect the others."""
    phones = [{"type": "work", "value": "+1 555 0100"}, {"type": "mobile", "value": "+1 555 0200"}]
    user = probe.create_user(phoneNumbers=phones)
    work, mobile = (f'phoneNumbers[type eq "{kind}"].value' for kind in ("work", "mobile"))
    probe.patch("User", user, ("replace", mobile, "+1 555 0300"))
    probe.expect_values("User", user, {work: "+1 555 0100", mobile: "+1 555 0300"})


@case(NEVER, "Accept primary as a string, and keep at most one primary element.")
def email_primary(probe: Probe) -> None:
    """The primary e-mail address is set by a string or a boolean."""
    address = f"{probe.unique()}@contoso.example"
    emails = [{"type": "work", "value": address, "primary": False}, {"type": "home", "value": f"h{address}"}]
    user = probe.create_user(emails=emails)
    path = 'emails[type eq "work"].primary'
    probe.patch("User", user, ("add", path, probe.boolean(True)))
    probe.expect_values("User", user, {path: True})


@case(NEVER, 'Accept [{"value": "x"}] as "x" for a .value path; merge an object into the element.', only_warn=True)
def wrapped_value(probe: Probe) -> None:
    """A list is unwrapped where a single value belongs, and an object is merged."""
    user = probe.create_user()
    path = 'emails[type eq "other"]'
    one, two = f"{probe.unique()}@contoso.example", f"{probe.unique()}@contoso.example"
    probe.patch("User", user, ("add", f"{path}.value", [{"value": one}]))
    probe.expect_values("User", user, {f"{path}.value": one})
    probe.patch("User", user, ("replace", path, {"value": two}))
    probe.expect_values("User", user, {f"{path}.value": two, f"{path}.type": "other"})


@case(
    "The gallery's null update test fails; cleared values stay.",
    'Treat "" and null as "no value", with paths and in objects without one, even if there is no value left.',
)
def null_update(probe: Probe) -> None:
    """Null update: empty strings, then nulls, unset values."""
    number = f"{ENTERPRISE}:employeeNumber"
    user = probe.create_user(
        title="Buyer", **{ENTERPRISE: {"department": "Sales", "employeeNumber": "7"}}, nickName="K"
    )
    paths = ("title", "name.givenName", f"{ENTERPRISE}:department", "nickName")
    for empty in ("", None):
        operations = [("replace", WORK_EMAIL, empty), *probe.replace(dict.fromkeys(paths, empty))]
        probe.patch("User", user, *operations)
        found = probe.read("User", user)
        for path in (*paths, WORK_EMAIL):
            left = Target.parse(path).read(found)
            probe.expect(left in (None, ""), f"{path} is {left!r} after it was set to {empty!r}")
    probe.expect_equal("employeeNumber, which was not changed,", Target.parse(number).read(found), "7")


@case("A user without a userName can never be matched again.", "Return 400 for an empty userName.", only_warn=True)
def user_name_required(probe: Probe) -> None:
    """The userName cannot be unset."""
    user = probe.create_user()
    probe.expect_status(probe.try_patch("User", user, *probe.replace({"userName": ""})), 400)


@case(REPEATED, 'Accept an id, an object or a list on the manager path; "" clears it; return {"value": id}.')
def manager(probe: Probe) -> None:
    """The manager is set, changed and cleared."""
    one, two, user = (probe.create_user() for _ in range(3))
    path = f"{ENTERPRISE}:manager"
    steps: list[tuple[Op, str | None]] = [
        (("add", path, one), one),
        (("replace", path, two), two),
        (("replace", path, ""), None),
        (("add", path, {"value": one}), one),
        (("remove", path), None),
        (("add", "manager", [{"$ref": f"https://example.org/Users/{two}", "value": two}]), two),
    ]
    for operation, wanted in steps:
        probe.patch("User", user, operation)
        expect_manager(probe, user, wanted)


@case(NEVER, "Split a URN path after the longest known schema; the dot in 2.0 is not a separator.")
def extension_path(probe: Probe) -> None:
    """An extension attribute is set by its full path."""
    user = probe.create_user()
    values = {f"{ENTERPRISE}:department": "Legal", f"{ENTERPRISE.upper()}:costCenter": "CC-1"}
    for path, value in values.items():
        probe.patch("User", user, ("add", path, value))
    probe.expect_values("User", user, {f"{ENTERPRISE}:department": "Legal", f"{ENTERPRISE}:costCenter": "CC-1"})


@case(REPEATED, "Do not compute formatted from its parts, nor the parts from it.")
def formatted(probe: Probe) -> None:
    """Formatted names and addresses are stored as they were sent."""
    user = probe.create_user(addresses=[{"type": "work", "formatted": "HQ", "locality": "Dublin"}])
    probe.patch("User", user, *probe.replace({"name.givenName": "Other"}))
    probe.patch("User", user, ("replace", 'addresses[type eq "work"].locality', "Cork"))
    probe.expect_values("User", user, {"name.formatted": "Kim O'Neill", 'addresses[type eq "work"].formatted': "HQ"})


@case("Half of a change is stored.", "Apply every operation of a PATCH, or none of them.")
def many_operations(probe: Probe) -> None:
    """36 operations in one PATCH are applied, and a PATCH with a wrong operation changes nothing."""
    user = probe.create_user()
    operations: list[Op] = [("replace", "displayName", f"Name {n}") for n in range(36)]
    probe.patch("User", user, *operations)
    probe.expect_values("User", user, {"displayName": "Name 35"})
    exchange = probe.try_patch("User", user, ("replace", "displayName", "Half"), ("explode", "title", "x"))
    probe.expect((exchange.status or 0) >= 400, f"an unknown operation returned {exchange.status}")
    probe.expect_values("User", user, {"displayName": "Name 35"})


@case_once("The public validator fails.", "Return 200 or 204.", only_warn=True)
def empty_patch(probe: Probe) -> None:
    """A PATCH without operations changes nothing."""
    user = probe.create_user()
    probe.patch("User", user)
    probe.expect_values("User", user, {"displayName": "Kim O'Neill"})


@case("Two users with the same name: MultipleEntries from then on.", "Check uniqueness in PATCH as in POST.")
def rename_conflict(probe: Probe) -> None:
    """A PATCH with the userName of another user gets 409."""
    other = probe.user()
    probe.create("User", other)
    user = probe.create_user()
    probe.expect_status(probe.try_patch("User", user, *probe.replace({"userName": other["userName"]})), 409)
