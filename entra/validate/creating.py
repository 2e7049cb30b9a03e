"""Cases of creating users."""

import uuid

from entra.targets import CORE_USER, ENTERPRISE, IDMELON, Resource
from entra.validate.cases import REPEATED, Section
from entra.validate.probe import Probe

SECTION = Section("Creating users")
case, case_once = SECTION.case, SECTION.case_once
REFUSED = "The user is never created: it fails in every cycle and stays in escrow."
ROLE = "WindowsAzureActiveDirectoryRole"


@case("Entra has no id to link to.", "Return 201 and the whole resource with an id that never changes.")
def create(probe: Probe) -> None:
    """The documented create returns 201 and a stable id."""
    body = probe.user(roles=[])
    user = probe.create("User", body)["id"]
    probe.expect(probe.read("User", user).get("id") == user, "a read returns another id than the create")
    probe.expect_found("User", f'userName eq "{body["userName"]}"', user)
    sent = str(uuid.uuid4())
    probe.expect(probe.create_user(id=sent) != sent, "the endpoint used the client's id")


@case_once(REPEATED, "Store and return values unchanged: no trimming, no phone number formatting, no lower case.")
def echo(probe: Probe) -> None:
    """Values are returned as they were sent."""
    body = probe.user(
        displayName="Zoë  O'Neill-Đorđević",
        title="R&D Lead",
        externalId=f"MixedCase-{uuid.uuid4()}",
        preferredLanguage="de-DE",
        phoneNumbers=[{"type": "work", "value": "+49 (89) 555 0712"}],
        **{ENTERPRISE: {"employeeNumber": "007", "department": "Research & Development"}},
    )
    user = probe.read("User", probe.create("User", body)["id"])
    for name in ("userName", "displayName", "title", "externalId", "preferredLanguage", "name"):
        probe.expect_equal(name, user.get(name), body[name])
    phones = [p.get("value") for p in user.get("phoneNumbers") or []]
    probe.expect_equal("the list of phone numbers", phones, ["+49 (89) 555 0712"])
    probe.expect_equal("employeeNumber", user.get(ENTERPRISE, {}).get("employeeNumber"), "007")


@case(REFUSED, "Ignore null attributes, including unknown ones; treat an empty externalId as missing.")
def create_nulls(probe: Probe) -> None:
    """A create ignores nulls and empty values."""
    nulls = dict.fromkeys(("addresses", "phoneNumbers", "preferredLanguage", "title", "department", "manager"))
    for _ in range(2):
        user = probe.create("User", {**probe.user(externalId=""), **nulls})
        stored = [name for name in nulls if user.get(name) not in (None, [], "")]
        probe.expect(not stored, f"nulls were stored: {stored}")


@case(REFUSED, "Accept unknown, misspelt or missing schemas; return those that the resource uses.")
def create_schemas(probe: Probe) -> None:
    """The schemas list need not match the body."""
    probe.create_user(schemas=[CORE_USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"])
    user = probe.create("User", probe.user(schemas=[CORE_USER], **{ENTERPRISE: {"department": "Sales"}}))
    found = user.get(ENTERPRISE, {}).get("department")
    probe.expect_equal("department, whose schema was not listed,", found, "Sales")


@case("A string manager cannot be deserialised.", 'Accept "manager": "ID" as {"value": "ID"} and return the object.')
def create_manager(probe: Probe) -> None:
    """A manager sent as a string is stored and returned as an object."""
    manager = probe.create_user()
    user = probe.create_user(**{ENTERPRISE: {"manager": manager}})
    expect_manager(probe, user, manager)


@case("Users are enabled or disabled by mistake.", 'Accept "True" and "False" in any case; return true or false.')
def create_booleans(probe: Probe) -> None:
    """Booleans are accepted as strings and returned as booleans."""
    for text, value in (("True", True), ("False", False), ("false", False)):
        probe.expect_values("User", probe.create_user(active=text), {"active": value})


@case_once(REPEATED, "Do not use the type of a value as its key.", only_warn=True)
def create_duplicate_types(probe: Probe) -> None:
    """Two values of the same type are both stored."""
    numbers = ["+1 555 0100", "+1 555 0101"]
    user = probe.create_user(phoneNumbers=[{"type": "work", "value": number} for number in numbers])
    found = [str(p.get("value")) for p in probe.read("User", user).get("phoneNumbers") or []]
    probe.expect_equal("the list of phone numbers", sorted(found), numbers)


@case(
    "Duplicates, or a conflict that Entra can never resolve by linking the existing user.",
    "Return 409 with scimType uniqueness, ignoring case; let the matching filter find the existing user.",
)
def conflict(probe: Probe) -> None:
    """A second user with the same userName gets 409, and the first one can be found."""
    body = probe.user()
    user = probe.create("User", body)
    again = {**body, "externalId": str(uuid.uuid4()), "userName": body["userName"].upper()}
    exchange = probe.send("POST", "/Users", body=again)
    probe.expect_status(exchange, 409)
    error = exchange.response if isinstance(exchange.response, dict) else {}
    probe.expect_equal("scimType", error.get("scimType"), "uniqueness")
    probe.expect_found("User", f'userName eq "{body["userName"]}"', user["id"])


@case("Existing accounts cannot be linked.", "After a match by userName, accept a PATCH that adds externalId.")
def adoption(probe: Probe) -> None:
    """A user who existed before provisioning can be linked."""
    body = probe.user(externalId=None)
    user = probe.create("User", body)["id"]
    found = probe.search("User", f'userName eq "{body["userName"]}"')
    probe.expect(len(found) == 1, f"the search returned {len(found)} users instead of the existing one")
    external_id = str(uuid.uuid4())
    probe.patch("User", user, ("add", "externalId", external_id))
    probe.expect_values("User", user, {"externalId": external_id})


@case("The role is lost, or the user refused.", "Store roles with type and primary; accept primary as a string.")
def single_role(probe: Probe) -> None:
    """App roles: one primary role."""
    for primary in (True, "True"):
        user = probe.create_user(roles=[{"primary": primary, "type": ROLE, "value": "Admin"}])
        _expect_roles(probe, user, "Admin")
    probe.patch("User", user, ("add", 'roles[primary eq "True"].value', "User"))
    _expect_roles(probe, user, "User")


@case("Roles are lost, or stored as JSON text.", 'Decode {"id":…,"value":…,"displayName":…} and add each role once.')
def complex_roles(probe: Probe) -> None:
    """App roles: several roles, added in each dialect's form."""
    user = probe.create_user(roles=[_role("Admin"), _role("User")])
    _expect_roles(probe, user, "Admin", "User")
    text = '{"id":"06b07648-ecfe-589f-9d2f-6325724a46ee","value":"25","displayName":"Role1234"}'
    added = {**_role("25"), "display": "Role1234"} if probe.flag else {"value": text}
    for _ in range(2):
        probe.patch("User", user, ("add", "roles", [added]))
    _expect_roles(probe, user, "25", "Admin", "User")


@case("A role that was removed in Entra stays.", "Let a replace of roles set the whole attribute.")
def assertive_roles(probe: Probe) -> None:
    """App roles: an assertive replacement removes the other roles."""
    user = probe.create_user(roles=[_role("A"), _role("B")])
    probe.patch("User", user, ("replace", "roles", [_role("B")]))
    _expect_roles(probe, user, "B")


@case("These attributes are lost.", f"Declare {IDMELON} (only IDmelon's own endpoint needs it).", only_warn=True)
def idmelon_extension(probe: Probe) -> None:
    """IDmelon's extension attributes are stored."""
    values = {"immutable_id": "q1XhrN0+Rk2=", "extraAttribute1": "B-00012"}
    user = probe.create_user(**{IDMELON: values})
    probe.expect_equal("the extension", probe.read("User", user).get(IDMELON), values)
    path = f"{IDMELON}:immutable_id"
    probe.patch("User", user, ("replace", path, "other="))
    probe.expect_values("User", user, {path: "other="})


def expect_manager(probe: Probe, user: str, manager: str | None) -> None:
    """Fail the case unless the user has this manager."""
    found = (probe.read("User", user).get(ENTERPRISE) or {}).get("manager")
    probe.expect(not isinstance(found, str) or not found, 'manager is returned as a string instead of {"value": id}')
    value = found.get("value") if isinstance(found, dict) else None
    probe.expect(value == manager or (not value and manager is None), f"manager is {value!r} instead of {manager!r}")


def _role(value: str) -> Resource:
    return {"primary": False, "type": ROLE, "display": value, "value": value}


def _expect_roles(probe: Probe, user: str, *values: str) -> None:
    found = [str(r.get("value")) for r in probe.read("User", user).get("roles") or []]
    probe.expect_equal("the list of roles", sorted(found), list(values))
