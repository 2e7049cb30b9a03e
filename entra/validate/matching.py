"""Cases of the searches by which Entra finds a user or a group again."""

from __future__ import annotations

import uuid

from entra.targets import CORE_USER, ENTERPRISE, Resource
from entra.validate.cases import Section
from entra.validate.probe import Probe

SECTION = Section("Matching")
case = SECTION.case
TWICE = "Entra does not find the user, creates it again, and gets a conflict in every cycle."


def _one(probe: Probe, user: Resource, filter: str) -> None:
    found = [r.get("id") for r in probe.search("User", filter)]
    probe.expect(found == [user["id"]], f"{filter} found {len(found)} users, not the one")


@case(
    "A user is found by userName, externalId and work e-mail",
    effect=TWICE,
    fix="Support eq on each.",
    both=False,
)
def _match_forms(probe: Probe) -> None:
    user, body = _made(probe)
    email = body["emails"][0]["value"]
    _one(probe, user, f'userName eq "{body["userName"]}"')
    _one(probe, user, f'externalId eq "{body["externalId"]}"')
    _one(probe, user, f'emails[type eq "work"].value eq "{email}"')


@case(
    "Attribute names may carry their schema's URN",
    effect=TWICE,
    fix="Resolve the longest known URN before the last colon.",
    both=False,
)
def _match_by_urn(probe: Probe) -> None:
    number = probe.unique("no")
    user, body = _made(probe, **{ENTERPRISE: {"employeeNumber": number}})
    _one(probe, user, f'{CORE_USER}:userName eq "{body["userName"]}"')
    _one(probe, user, f'{ENTERPRISE}:employeeNumber eq "{number}"')


@case(
    "The two old forms of filters that are not quite SCIM",
    effect="Old mappings and the documentation's own example find nothing.",
    fix='Take externalId eq jyoung without quotes, and emails[type eq "work"] eq "x" for its value.',
    only_warn=True,
    both=False,
)
def _match_old_forms(probe: Probe) -> None:
    name = probe.unique("id")
    user, body = _made(probe, externalId=name)
    _one(probe, user, f"externalId eq {name}")
    _one(probe, user, f'emails[type eq "work"] eq "{body["emails"][0]["value"]}"')


@case(
    "Keywords, attribute names and userName compare without case, externalId with it",
    effect="A search in another case finds nothing; a wrong user may be taken for the right one.",
    fix="Fold case as the schema's caseExact says: userName and displayName false, externalId and id true.",
    both=False,
)
def _match_case(probe: Probe) -> None:
    user, body = _made(probe, externalId=probe.unique("CaseExact"))
    _one(probe, user, f'USERNAME EQ "{body["userName"].upper()}"')
    found = probe.search("User", f'externalId eq "{body["externalId"].upper()}"')
    probe.expect(found == [], "externalId was found in another case")


@case(
    "A value is taken as it is: apostrophes, escapes, and the word and",
    effect="People called O'Brien are never found, or a filter is cut in two.",
    fix='Parse the value as a JSON string (\\", \\\\, \\uXXXX); never split a filter at " and ".',
    both=False,
)
def _match_special_characters(probe: Probe) -> None:
    name = probe.unique("o'brien and zoë")
    user, _ = _made(probe, userName=f'{name} "q" \\ @contoso.example')
    escaped = f'{name} \\"q\\" \\\\ @contoso.example'
    _one(probe, user, f'userName eq "{escaped}"')
    _one(probe, user, f'userName eq "{escaped.replace("ë", chr(92) + "u00eb")}"')


@case(
    "A filter that matches nobody, or that is not understood, never answers everybody",
    effect="MultipleEntriesInResponse: Entra takes the answer for several matches and gives the user up.",
    fix="Apply every filter; answer 400 invalidFilter to one that cannot be applied.",
    both=False,
)
def _ignored_filter(probe: Probe) -> None:
    for _ in range(2):
        probe.new_user()
    for filter in (f'externalId eq "{uuid.uuid4()}"', f'emails[type eq "work"].value eq "{uuid.uuid4()}"'):
        found = probe.search("User", filter)
        probe.expect(found == [], f"{filter} found {len(found)} users")
    prefix = probe.unique()
    probe.new_user(userName=f"{prefix}-and-more@contoso.example")
    found = probe.search("User", f'userName eq "{prefix}"')
    probe.expect(found == [], "eq found a userName that only begins with the value")
    unknown = probe.send("GET", "/Users", [("filter", f'noSuchAttribute eq "{uuid.uuid4()}"')])
    if unknown.status != 400:
        probe.expect_status(unknown, 200, 400)
        probe.expect(probe.resources(unknown) == [], "a filter on an unknown attribute answered users")


@case(
    "A disabled user is found, with active false",
    effect="The search finds nothing, the create conflicts, for ever; restoring is impossible.",
    fix="Keep disabled users in every search and answer their active as false.",
)
def _disabled_is_found(probe: Probe) -> None:
    user, body = _made(probe)
    probe.patch("User", user["id"], ("replace", "active", False if probe.flag else "False"))
    found = probe.search("User", f'userName eq "{body["userName"]}"')
    probe.expect(len(found) == 1, f"a search for a disabled user found {len(found)}")
    probe.expect("active" in found[0], "the disabled user came without active")
    probe.expect(found[0]["active"] is False, f"active is {found[0]['active']!r}, not false")


@case(
    "A group is found by displayName, in any case, and without its members",
    effect="MultipleEntries, or the membership is evaluated from the answer and written over.",
    fix="Honour excludedAttributes=members in searches and reads.",
)
def _members_excluded(probe: Probe) -> None:
    user, group = probe.new_user(), probe.new_group()
    probe.patch("Group", group["id"], ("add", "members", [{"value": user["id"]}]))
    found = probe.search("Group", f'displayName eq "{group.get("displayName", "").upper()}"')
    probe.expect([g.get("id") for g in found] == [group["id"]], f"{len(found)} groups were found, not the one")
    probe.expect(not found[0].get("members"), "the search answered members although they were excluded")
    read = probe.read("Group", group["id"], excludedAttributes="members")
    probe.expect(not read.get("members"), "the read answered members although they were excluded")


@case(
    "A group is found by externalId",
    effect="Groups matched by objectId are created again and again.",
    fix="Store a group's externalId and support eq on it.",
    both=False,
)
def _match_group_external_id(probe: Probe) -> None:
    group = probe.group()
    made = probe.create("Group", group)
    found = probe.search("Group", f'externalId eq "{group["externalId"]}"')
    probe.expect([g.get("id") for g in found] == [made["id"]], f"{len(found)} groups were found, not the one")


@case(
    "References are asked for by filter: manager",
    effect="The manager is sent again in every cycle, or never.",
    fix="Support id eq X and manager eq Y, with attributes=id; manager means its value.",
)
def _manager_reference(probe: Probe) -> None:
    boss, user = probe.new_user(), probe.new_user()
    filter = f'id eq "{user["id"]}" and manager eq "{boss["id"]}"'
    probe.expect(probe.search("User", filter, attributes="id") == [], "the manager was found before it was set")
    probe.patch("User", user["id"], ("add", f"{ENTERPRISE}:manager", boss["id"]))
    found = [r.get("id") for r in probe.search("User", filter, attributes="id")]
    probe.expect(found == [user["id"]], f"{filter} found {len(found)} users, not the one")


@case(
    "References are asked for by filter: members",
    effect="Members are sent again in every cycle, or never.",
    fix="Support id eq G and members eq U, with attributes=id; members means their value.",
)
def _member_reference(probe: Probe) -> None:
    user, group = probe.new_user(), probe.new_group()
    filter = f'id eq "{group["id"]}" and members eq "{user["id"]}"'
    probe.expect(probe.search("Group", filter, attributes="id") == [], "the member was found before it joined")
    probe.patch("Group", group["id"], ("add", "members", [{"value": user["id"]}]))
    found = [r.get("id") for r in probe.search("Group", filter, attributes="id")]
    probe.expect(found == [group["id"]], f"{filter} found {len(found)} groups, not the one")


def _made(probe: Probe, **extra: object) -> tuple[Resource, Resource]:
    body = probe.user(**extra)
    return probe.create("User", body), body
