"""Cases of patching users."""

from __future__ import annotations

from typing import Any

from entra.targets import ENTERPRISE, Resource, Target
from entra.validate.cases import Section
from entra.validate.creating import expect_manager
from entra.validate.probe import Op, Probe

SECTION = Section("Updating users")
case = SECTION.case
NEVER = "The change never arrives: it fails in every cycle."
WORK_EMAIL = 'emails[type eq "work"].value'


def _value(probe: Probe, user: Resource, path: str) -> Any:
    return Target.parse(path).read(probe.read("User", user["id"]))


def _expect_values(probe: Probe, user: Resource, values: dict[str, Any]) -> None:
    found = probe.read("User", user["id"])
    for path, value in values.items():
        got = Target.parse(path).read(found)
        probe.expect(got == value, f"{path} is {got!r}, not {value!r}")


@case("Operations are spelt in any case", effect=NEVER, fix="Compare op without case.", both=False)
def _op_case(probe: Probe) -> None:
    user = probe.new_user()
    for number, verb in enumerate(("Add", "add", "Replace", "replace", "REPLACE")):
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
        operations = [{"op": verb, "path": "displayName", "value": f"Name {number}"}]
        exchange = probe.send("PATCH", f"/Users/{user['id']}", body={**body, "Operations": operations})
        probe.expect_status(exchange, 200, 204)
        _expect_values(probe, user, {"displayName": f"Name {number}"})


@case(
    "PATCH is supported, and answers 204, or 200 with the whole resource",
    effect="405 or 501 means that no user is ever updated; 200 without a body may break the client.",
    fix="Implement PATCH; answer 204 without a body, or 200 with all of the resource.",
)
def _patch_answer(probe: Probe) -> None:
    user = probe.new_user()
    exchange = probe.patch("User", user["id"], ("replace", "displayName", "Changed"))
    if exchange.status == 200:
        body = exchange.response
        whole = isinstance(body, dict) and body.get("id") == user["id"] and body.get("userName")
        probe.expect(whole, "PATCH answered 200 without the resource")
    _expect_values(probe, user, {"displayName": "Changed"})


@case(
    "Disabling and enabling, in each of the forms that are seen",
    effect="Leavers keep their access.",
    fix='Take active as a boolean or as the string "False", with a path or without.',
)
def _disable(probe: Probe) -> None:
    user = probe.new_user()
    forms: list[tuple[Op, bool]] = [
        (("replace", "active", False if probe.flag else "False"), False),
        (("add", "active", "True"), True),
        (("replace", None, {"active": False}), False),
        (("replace", "active", True if probe.flag else "True"), True),
        (("replace", None, {"active": "False"}), False),
    ]
    for operation, active in forms:
        probe.patch("User", user["id"], operation)
        found = probe.read("User", user["id"])
        probe.expect(found.get("active") is active, f"after {operation} active is {found.get('active')!r}")


@case(
    "Several attributes in one PATCH, as each dialect writes them",
    effect=NEVER,
    fix="Take an operation per attribute, and one without a path whose keys are dotted and URN paths.",
)
def _several_attributes(probe: Probe) -> None:
    user = probe.new_user()
    values = {
        "displayName": "Bjfe",
        "name.givenName": "Kkom",
        "name.familyName": "Unua",
        f"{ENTERPRISE}:employeeNumber": "Aklq",
    }
    email = f"{probe.unique()}@contoso.example"
    probe.patch("User", user["id"], ("replace", WORK_EMAIL, email), *probe.replace(values))
    _expect_values(probe, user, {**values, WORK_EMAIL: email})


@case(
    "Objects without a path: nested name and extension",
    effect=NEVER,
    fix="Merge an object of a pathless operation into what is there.",
)
def _nested_without_path(probe: Probe) -> None:
    user = probe.new_user(**{ENTERPRISE: {"employeeNumber": "1"}})
    nested = {"name": {"givenName": "Nested"}, ENTERPRISE: {"department": "Legal"}}
    probe.patch("User", user["id"], ("add", None, nested))
    wanted = {"name.givenName": "Nested", f"{ENTERPRISE}:department": "Legal"}
    _expect_values(probe, user, wanted | {f"{ENTERPRISE}:employeeNumber": "1", "name.familyName": "O'Neill"})


@case(
    "Add and replace both set a value, whether there is one or not",
    effect=NEVER,
    fix="For a single value treat add and replace alike.",
)
def _add_is_replace(probe: Probe) -> None:
    user = probe.new_user()
    for verb, value in (("replace", "One"), ("add", "Two"), ("replace", "Three")):
        probe.patch("User", user["id"], (verb, "nickName", value))
        _expect_values(probe, user, {"nickName": value})


@case(
    "A path that selects nothing makes the element",
    effect=NEVER,
    fix="Create the element with the filter's type, once for several operations; never answer noTarget.",
)
def _valued_path_creates(probe: Probe) -> None:
    user = probe.new_user()
    values = {
        'addresses[type eq "work"].streetAddress': "1 Main St",
        'addresses[type eq "work"].locality': "Dublin",
        'phoneNumbers[type eq "mobile"].value': "+353 85 1234567",
    }
    probe.patch("User", user["id"], *(("add", path, value) for path, value in values.items()))
    _expect_values(probe, user, values)
    found = probe.read("User", user["id"])
    count = len(found.get("addresses") or [])
    probe.expect(count == 1, f"two operations on one address made {count}")


@case(
    "Changing one value of a list leaves the others",
    effect="A change of the mobile number takes the work number away.",
    fix="Apply an operation to the selected element alone.",
)
def _valued_path_is_exact(probe: Probe) -> None:
    phones = [{"type": "work", "value": "+1 555 0100"}, {"type": "mobile", "value": "+1 555 0200"}]
    user = probe.new_user(phoneNumbers=phones)
    probe.patch("User", user["id"], ("replace", 'phoneNumbers[type eq "mobile"].value', "+1 555 0300"))
    _expect_values(
        probe,
        user,
        {
            'phoneNumbers[type eq "work"].value': "+1 555 0100",
            'phoneNumbers[type eq "mobile"].value': "+1 555 0300",
        },
    )


@case(
    "The primary e-mail is set by a string or a boolean",
    effect=NEVER,
    fix="Take primary as a string too, and keep one primary at most.",
)
def _email_primary(probe: Probe) -> None:
    address = f"{probe.unique()}@contoso.example"
    emails = [{"type": "work", "value": address, "primary": False}, {"type": "home", "value": f"h{address}"}]
    user = probe.new_user(emails=emails)
    value = True if probe.flag else "True"
    probe.patch("User", user["id"], ("add", 'emails[type eq "work"].primary', value))
    found = _value(probe, user, 'emails[type eq "work"].primary')
    probe.expect(found is True, f"primary is {found!r}, not true")


@case(
    "A list where a value belongs is unwrapped, an object is merged",
    effect=NEVER,
    fix='Take [{"value": "x"}] for "x" on a .value path; merge an object into the selected element.',
    only_warn=True,
)
def _wrapped_value(probe: Probe) -> None:
    user = probe.new_user()
    path = 'emails[type eq "other"]'
    one, two = f"{probe.unique()}@contoso.example", f"{probe.unique()}@contoso.example"
    probe.patch("User", user["id"], ("add", f"{path}.value", [{"value": one}]))
    _expect_values(probe, user, {f"{path}.value": one})
    probe.patch("User", user["id"], ("replace", path, {"value": two}))
    _expect_values(probe, user, {f"{path}.value": two, f"{path}.type": "other"})


@case(
    "Null update: empty strings, then nulls, unset what is there",
    effect="The gallery's null update test fails; values that were cleared stay.",
    fix='Take "" and null as "no value", on paths and in pathless objects, also where nothing is left.',
)
def _null_update(probe: Probe) -> None:
    user = probe.new_user(title="Buyer", **{ENTERPRISE: {"department": "Sales", "employeeNumber": "7"}}, nickName="K")
    paths = ("title", "name.givenName", f"{ENTERPRISE}:department", "nickName")
    for empty in ("", None):
        operations = [("replace", WORK_EMAIL, empty), *probe.replace(dict.fromkeys(paths, empty))]
        probe.patch("User", user["id"], *operations)
        found = probe.read("User", user["id"])
        for path in (*paths, WORK_EMAIL):
            left = Target.parse(path).read(found)
            probe.expect(left in (None, ""), f"{path} is {left!r} after it was set to {empty!r}")
    number = Target.parse(f"{ENTERPRISE}:employeeNumber").read(found)
    probe.expect(number == "7", "employeeNumber went although it was not touched")


@case(
    "userName cannot be unset",
    effect="A user without a name can never be matched again.",
    fix="Answer 400 to an empty userName.",
    only_warn=True,
)
def _user_name_required(probe: Probe) -> None:
    user = probe.new_user()
    probe.expect_status(probe.try_patch("User", user["id"], *probe.replace({"userName": ""})), 400)


@case(
    "The manager is set, changed and cleared",
    effect="The manager is sent again in every cycle, or stays when it should go.",
    fix='Take a plain id, an object or a list on the manager path; "" clears it; answer {"value": id}.',
)
def _manager(probe: Probe) -> None:
    one, two, user = probe.new_user(), probe.new_user(), probe.new_user()
    path = f"{ENTERPRISE}:manager"
    steps: list[tuple[Op, str | None]] = [
        (("add", path, one["id"]), one["id"]),
        (("replace", path, two["id"]), two["id"]),
        (("replace", path, ""), None),
        (("add", path, {"value": one["id"]}), one["id"]),
        (("remove", path), None),
        (
            ("add", "manager", [{"$ref": f"https://example.org/Users/{two['id']}", "value": two["id"]}]),
            two["id"],
        ),
    ]
    for operation, wanted in steps:
        probe.patch("User", user["id"], operation)
        expect_manager(probe, probe.read("User", user["id"]), wanted)


@case(
    "An extension attribute is set by its full path",
    effect=NEVER,
    fix="Split a URN path at the longest known schema; the dot of 2.0 is no separator.",
)
def _extension_path(probe: Probe) -> None:
    user = probe.new_user()
    values = {f"{ENTERPRISE}:department": "Legal", f"{ENTERPRISE.upper()}:costCenter": "CC-1"}
    for path, value in values.items():
        probe.patch("User", user["id"], ("add", path, value))
    _expect_values(probe, user, {f"{ENTERPRISE}:department": "Legal", f"{ENTERPRISE}:costCenter": "CC-1"})


@case(
    "Formatted names and addresses are kept as they come",
    effect="Entra patches them again in every cycle.",
    fix="Do not compute formatted from its parts, nor the parts from it.",
)
def _formatted(probe: Probe) -> None:
    user = probe.new_user(addresses=[{"type": "work", "formatted": "HQ", "locality": "Dublin"}])
    probe.patch("User", user["id"], *probe.replace({"name.givenName": "Other"}))
    probe.patch("User", user["id"], ("replace", 'addresses[type eq "work"].locality', "Cork"))
    _expect_values(probe, user, {"name.formatted": "Kim O'Neill", 'addresses[type eq "work"].formatted': "HQ"})


@case(
    "36 operations in one PATCH, all or nothing",
    effect="Half a change stays behind.",
    fix="Apply every operation of a PATCH, or none of them.",
)
def _many_operations(probe: Probe) -> None:
    user = probe.new_user()
    operations: list[Op] = [("replace", "displayName", f"Name {n}") for n in range(36)]
    probe.patch("User", user["id"], *operations)
    _expect_values(probe, user, {"displayName": "Name 35"})
    exchange = probe.try_patch("User", user["id"], ("replace", "displayName", "Half"), ("explode", "title", "x"))
    probe.expect((exchange.status or 0) >= 400, f"an unknown operation answered {exchange.status}")
    _expect_values(probe, user, {"displayName": "Name 35"})


@case(
    "A PATCH without operations changes nothing",
    effect="The public validator fails it.",
    fix="Answer 200 or 204.",
    only_warn=True,
    both=False,
)
def _empty_patch(probe: Probe) -> None:
    user = probe.new_user()
    probe.patch("User", user["id"])
    _expect_values(probe, user, {"displayName": "Kim O'Neill"})


@case(
    "A rename to a userName that is taken is refused with 409",
    effect="Two users of one name: MultipleEntries from then on.",
    fix="Check uniqueness in PATCH as in POST.",
)
def _rename_conflict(probe: Probe) -> None:
    taken = probe.user()
    probe.create("User", taken)
    user = probe.new_user()
    probe.expect_status(probe.try_patch("User", user["id"], *probe.replace({"userName": taken["userName"]})), 409)
