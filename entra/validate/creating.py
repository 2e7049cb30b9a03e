"""Cases of creating users."""

from __future__ import annotations

import uuid

from entra.targets import CORE_USER, ENTERPRISE, IDMELON, Resource
from entra.validate.cases import Section
from entra.validate.probe import Probe

SECTION = Section("Creating users")
case = SECTION.case
REFUSED = "The user is never created: it fails in every cycle and ends in escrow."
ROLE = "WindowsAzureActiveDirectoryRole"


@case(
    "The documented create answers 201 with an id that stays",
    effect="There is no anchor to link to; Entra matches again for ever.",
    fix="Answer 201 and the whole resource with an id of your own that never changes.",
)
def _create(probe: Probe) -> None:
    body = probe.user(roles=[])
    user = probe.create("User", body)
    probe.expect(probe.read("User", user["id"]).get("id") == user["id"], "the id of a read is not that of the create")
    found = probe.search("User", f'userName eq "{body["userName"]}"')
    probe.expect([r.get("id") for r in found] == [user["id"]], "the id of a search is not that of the create")
    sent = str(uuid.uuid4())
    other = probe.create("User", probe.user(id=sent))
    probe.expect(other["id"] != sent, "the client's id was taken over")


@case(
    "Values come back as they were sent",
    effect="Entra patches the same attribute in every cycle.",
    fix="Store and answer values as they are: no trimming, no phone formatting, no lower-casing.",
    both=False,
)
def _echo(probe: Probe) -> None:
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
        probe.expect(user.get(name) == body[name], f"{name} came back as {user.get(name)!r}, not {body[name]!r}")
    phone = [p.get("value") for p in user.get("phoneNumbers") or []]
    probe.expect(phone == ["+49 (89) 555 0712"], f"the phone number came back as {phone}")
    probe.expect(user.get(ENTERPRISE, {}).get("employeeNumber") == "007", "employeeNumber did not come back as 007")


@case(
    "Nulls and empty values in a create are ignored",
    effect=REFUSED,
    fix="Ignore null attributes, also those that no schema has; an empty externalId is none, and not unique.",
)
def _create_nulls(probe: Probe) -> None:
    nulls = dict.fromkeys(("addresses", "phoneNumbers", "preferredLanguage", "title", "department", "manager"))
    for _ in range(2):
        body = {**probe.user(externalId=""), **nulls}
        user = probe.create("User", body)
        kept = [name for name in nulls if user.get(name) not in (None, [], "")]
        probe.expect(not kept, f"nulls were stored: {kept}")


@case(
    "The schemas list need not fit the body",
    effect=REFUSED,
    fix="Accept schemas that are unknown, misspelt or not listed; answer with those that are populated.",
)
def _create_schemas(probe: Probe) -> None:
    typo = probe.user(schemas=[CORE_USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"])
    probe.create("User", typo)
    unlisted = probe.user(schemas=[CORE_USER], **{ENTERPRISE: {"department": "Sales"}})
    user = probe.create("User", unlisted)
    probe.expect(user.get(ENTERPRISE, {}).get("department") == "Sales", "the extension not listed was dropped")


@case(
    "A manager given as a plain string is stored and answered as an object",
    effect='Deserialisation fails when "manager" comes back as a string.',
    fix='Take "manager": "ID" for {"value": "ID"} and answer the object.',
)
def _create_manager(probe: Probe) -> None:
    boss = probe.new_user()
    user = probe.new_user(**{ENTERPRISE: {"manager": boss["id"]}})
    expect_manager(probe, probe.read("User", user["id"]), boss["id"])


@case(
    "Booleans given as strings are taken; booleans are answered",
    effect="Users are disabled or enabled the wrong way round, or refused.",
    fix='Take "True" and "False" in any case for every boolean; always answer true or false.',
)
def _create_booleans(probe: Probe) -> None:
    for text, value in (("True", True), ("False", False), ("false", False)):
        body = probe.user(active=text)
        user = probe.read("User", probe.create("User", body)["id"])
        probe.expect(user.get("active") is value, f"active sent as {text!r} came back as {user.get('active')!r}")


@case(
    "Two values of one type are both kept",
    effect="One of the values is lost, and sent again in every cycle.",
    fix="Do not take the type of a value for its key.",
    only_warn=True,
    both=False,
)
def _create_duplicate_types(probe: Probe) -> None:
    numbers = ["+1 555 0100", "+1 555 0101"]
    user = probe.new_user(phoneNumbers=[{"type": "work", "value": number} for number in numbers])
    found = [p.get("value") for p in probe.read("User", user["id"]).get("phoneNumbers") or []]
    probe.expect(sorted(map(str, found)) == numbers, f"came back as {found}")


@case(
    "A second user of the same userName is refused with 409, and can be found",
    effect="Duplicates, or a conflict that Entra can never resolve by adopting the user.",
    fix="Answer 409 with scimType uniqueness, case aside; let the matching filter find who is there.",
)
def _conflict(probe: Probe) -> None:
    body = probe.user()
    user = probe.create("User", body)
    again = {**body, "externalId": str(uuid.uuid4()), "userName": body["userName"].upper()}
    exchange = probe.send("POST", "/Users", body=again)
    probe.expect_status(exchange, 409)
    error = exchange.response if isinstance(exchange.response, dict) else {}
    probe.expect(error.get("scimType") == "uniqueness", f"scimType is {error.get('scimType')!r}, not 'uniqueness'")
    found = probe.search("User", f'userName eq "{body["userName"]}"')
    probe.expect([r.get("id") for r in found] == [user["id"]], "the user in the way cannot be found")


@case(
    "A user who was there before Entra is adopted",
    effect="Existing accounts cannot be taken over.",
    fix="Let a match by userName lead to a PATCH that adds externalId.",
)
def _adoption(probe: Probe) -> None:
    body = probe.user(externalId=None)
    user = probe.create("User", body)
    found = probe.search("User", f'userName eq "{body["userName"]}"')
    probe.expect(len(found) == 1, f"the existing user was found {len(found)} times")
    anchor = str(uuid.uuid4())
    probe.patch("User", user["id"], ("add", "externalId", anchor))
    probe.expect(probe.read("User", user["id"]).get("externalId") == anchor, "externalId was not taken")


@case(
    "App roles: one, marked as primary",
    effect="The role is lost or the user refused.",
    fix="Store roles with type and primary; take primary as a string too.",
)
def _single_role(probe: Probe) -> None:
    for primary in (True, "True"):
        user = probe.new_user(roles=[{"primary": primary, "type": ROLE, "value": "Admin"}])
        expect_roles(probe, user, {"Admin"})
    probe.patch("User", user["id"], ("add", 'roles[primary eq "True"].value', "User"))
    expect_roles(probe, user, {"User"})


@case(
    "App roles: several, added in the form of each dialect",
    effect="Roles pile up as JSON in strings, or are refused.",
    fix='Decode a role value such as {"id":…,"value":…,"displayName":…} and add each role once.',
)
def _complex_roles(probe: Probe) -> None:
    roles = [{"primary": False, "type": ROLE, "display": r, "value": r} for r in ("Admin", "User")]
    user = probe.new_user(roles=roles)
    expect_roles(probe, user, {"Admin", "User"})
    text = '{"id":"06b07648-ecfe-589f-9d2f-6325724a46ee","value":"25","displayName":"Role1234"}'
    added = {"primary": False, "type": ROLE, "display": "Role1234", "value": "25"} if probe.flag else {"value": text}
    for _ in range(2):
        probe.patch("User", user["id"], ("add", "roles", [added]))
    expect_roles(probe, user, {"Admin", "User", "25"})


@case(
    "App roles: an assertive replacement drops the others",
    effect="A role that was taken away in Entra stays.",
    fix="Let a replace of roles set the whole attribute.",
)
def _assertive_roles(probe: Probe) -> None:
    user = probe.new_user(roles=[{"primary": False, "type": ROLE, "display": r, "value": r} for r in "AB"])
    kept = [{"primary": False, "type": ROLE, "display": "B", "value": "B"}]
    probe.patch("User", user["id"], ("replace", "roles", kept))
    expect_roles(probe, user, {"B"})


@case(
    "IDmelon's extension attributes are stored",
    effect="The immutable id and the five extra attributes never arrive.",
    fix=f"Declare {IDMELON} (only IDmelon's own endpoint needs it).",
    only_warn=True,
)
def _idmelon_extension(probe: Probe) -> None:
    values = {"immutable_id": "q1XhrN0+Rk2=", "extraAttribute1": "B-00012"}
    user = probe.read("User", probe.new_user(**{IDMELON: values})["id"])
    probe.expect(user.get(IDMELON) == values, f"came back as {user.get(IDMELON)!r}")
    probe.patch("User", user["id"], ("replace", f"{IDMELON}:immutable_id", "other="))
    found = probe.read("User", user["id"]).get(IDMELON, {})
    probe.expect(found.get("immutable_id") == "other=", f"after a patch it is {found.get('immutable_id')!r}")


def expect_manager(probe: Probe, user: Resource, id: str | None) -> None:
    """Fail the case unless the user's manager is this one."""
    found = (user.get(ENTERPRISE) or {}).get("manager")
    probe.expect(not isinstance(found, str) or not found, 'manager came back as a string, not as {"value": id}')
    value = found.get("value") if isinstance(found, dict) else None
    probe.expect(value == id or (not value and id is None), f"the manager is {value!r}, not {id!r}")


def expect_roles(probe: Probe, user: Resource, values: set[str]) -> None:
    """Fail the case unless the user has these roles, each once."""
    found = [str(r.get("value")) for r in probe.read("User", user["id"]).get("roles") or []]
    probe.expect(sorted(found) == sorted(values), f"the roles are {sorted(found)}, not {sorted(values)}")
