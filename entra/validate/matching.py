"""Cases of the searches with which Entra matches users and groups."""

import uuid

from entra.targets import CORE_USER, ENTERPRISE, Resource
from entra.validate.cases import REPEATED, Section
from entra.validate.probe import Probe

SECTION = Section("Matching")
case, case_once = SECTION.case, SECTION.case_once
DUPLICATE = "Entra does not find the user, creates it again, and gets a conflict in every cycle."


def _create(probe: Probe, **extra: object) -> tuple[str, Resource]:
    body = probe.user(**extra)
    return str(probe.create("User", body)["id"]), body


@case_once(DUPLICATE, "Support eq for each of them.")
def match_forms(probe: Probe) -> None:
    """A user is found by userName, externalId and work e-mail address."""
    user, body = _create(probe)
    probe.expect_found("User", f'userName eq "{body["userName"]}"', user)
    probe.expect_found("User", f'externalId eq "{body["externalId"]}"', user)
    probe.expect_found("User", f'emails[type eq "work"].value eq "{body["emails"][0]["value"]}"', user)


@case_once(DUPLICATE, "Resolve the longest known URN before the last colon.")
def match_by_urn(probe: Probe) -> None:
    """An attribute name may include its schema's URN."""
    number = probe.unique("no")
    user, body = _create(probe, **{ENTERPRISE: {"employeeNumber": number}})
    probe.expect_found("User", f'{CORE_USER}:userName eq "{body["userName"]}"', user)
    probe.expect_found("User", f'{ENTERPRISE}:employeeNumber eq "{number}"', user)


@case_once(
    "Old mappings and the documentation's own example find nothing.",
    'Accept externalId eq jyoung without quotes, and emails[type eq "work"] eq "x" as a filter on its value.',
    only_warn=True,
)
def match_old_forms(probe: Probe) -> None:
    """Two old filter forms that are not valid SCIM are accepted."""
    name = probe.unique("id")
    user, body = _create(probe, externalId=name)
    probe.expect_found("User", f"externalId eq {name}", user)
    probe.expect_found("User", f'emails[type eq "work"] eq "{body["emails"][0]["value"]}"', user)


@case_once(
    "A search in another case finds nothing, or matches the wrong user.",
    "Follow caseExact in the schema: false for userName and displayName, true for externalId and id.",
)
def match_case(probe: Probe) -> None:
    """Keywords, attribute names and userName ignore case; externalId does not."""
    user, body = _create(probe, externalId=probe.unique("CaseExact"))
    probe.expect_found("User", f'USERNAME EQ "{body["userName"].upper()}"', user)
    probe.expect_found("User", f'externalId eq "{body["externalId"].upper()}"')


@case_once(
    "Users with names such as O'Brien are never found, or a filter is split in two.",
    'Parse the value as a JSON string (\\", \\\\, \\uXXXX); never split a filter at " and ".',
)
def match_special_characters(probe: Probe) -> None:
    """A value may contain apostrophes, escapes and the word and."""
    name = probe.unique("o'brien and zoë")
    user, _ = _create(probe, userName=f'{name} "q" \\ @contoso.example')
    escaped = f'{name} \\"q\\" \\\\ @contoso.example'
    probe.expect_found("User", f'userName eq "{escaped}"', user)
    probe.expect_found("User", f'userName eq "{escaped.replace("ë", chr(92) + "u00eb")}"', user)


@case_once(
    "MultipleEntriesInResponse: Entra sees several matches and does not provision the user.",
    "Apply every filter; return 400 invalidFilter for one that cannot be applied.",
)
def ignored_filter(probe: Probe) -> None:
    """A filter without a match, or with an unknown attribute, never returns all users."""
    for _ in range(2):
        probe.create_user()
    for attribute in ("externalId", 'emails[type eq "work"].value'):
        probe.expect_found("User", f'{attribute} eq "{uuid.uuid4()}"')
    prefix = probe.unique()
    probe.create_user(userName=f"{prefix}-and-more@contoso.example")
    probe.expect_found("User", f'userName eq "{prefix}"')
    unknown = probe.send("GET", "/Users", [("filter", f'noSuchAttribute eq "{uuid.uuid4()}"')])
    if unknown.status != 400:
        probe.expect_status(unknown, 200, 400)
        probe.expect(probe.resources(unknown) == [], "a filter on an unknown attribute returned users")


@case("The create conflicts in every cycle; no restore.", "Include disabled users in every search, with active false.")
def disabled_is_found(probe: Probe) -> None:
    """A disabled user is found, with active false."""
    user, body = _create(probe)
    probe.patch("User", user, ("replace", "active", probe.boolean(False)))
    found = probe.search("User", f'userName eq "{body["userName"]}"')
    probe.expect(len(found) == 1, f"a search for a disabled user returned {len(found)} resources")
    probe.expect("active" in found[0], "the disabled user is returned without active")
    probe.expect_equal("active", found[0]["active"], False)


@case("Entra evaluates and replaces the membership.", "Honour excludedAttributes=members in searches and reads.")
def members_excluded(probe: Probe) -> None:
    """A group is found by displayName, in any case, and without its members."""
    body = probe.group()
    group = probe.create("Group", body)["id"]
    probe.patch("Group", group, ("add", "members", [{"value": probe.create_user()}]))
    found = probe.expect_found("Group", f'displayName eq "{body["displayName"].upper()}"', group)
    probe.expect(not found[0].get("members"), "the search returned members although they were excluded")
    read = probe.read("Group", group, excludedAttributes="members")
    probe.expect(not read.get("members"), "the read returned members although they were excluded")


@case_once("Groups matched by objectId are created repeatedly.", "Store a group's externalId and support eq for it.")
def match_group_external_id(probe: Probe) -> None:
    """A group is found by externalId."""
    body = probe.group()
    group = probe.create("Group", body)["id"]
    probe.expect_found("Group", f'externalId eq "{body["externalId"]}"', group)


@case(REPEATED, "Support id eq X and manager eq Y, with attributes=id; manager means its value.")
def manager_reference(probe: Probe) -> None:
    """A filter tells whether a user has a manager."""
    manager, user = probe.create_user(), probe.create_user()
    filter = f'id eq "{user}" and manager eq "{manager}"'
    probe.expect_found("User", filter, attributes="id")
    probe.patch("User", user, ("add", f"{ENTERPRISE}:manager", manager))
    probe.expect_found("User", filter, user, attributes="id")


@case(REPEATED, "Support id eq G and members eq U, with attributes=id; members means their value.")
def member_reference(probe: Probe) -> None:
    """A filter tells whether a group has a member."""
    user, group = probe.create_user(), probe.create_group()
    filter = f'id eq "{group}" and members eq "{user}"'
    probe.expect_found("Group", filter, attributes="id")
    probe.patch("Group", group, ("add", "members", [{"value": user}]))
    probe.expect_found("Group", filter, group, attributes="id")
