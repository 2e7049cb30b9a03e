"""Where each checked behaviour is specified, documented or reported."""

from dataclasses import dataclass
from functools import partial

LEARN = "https://learn.microsoft.com/entra/identity/app-provisioning"


@dataclass(frozen=True, slots=True)
class Source:
    """A section of an RFC, a page of Microsoft's, or a public report."""

    name: str
    url: str


def rfc(number: int, section: str) -> Source:
    """Return a section of an RFC."""
    return Source(f"RFC {number} section {section}", f"https://www.rfc-editor.org/rfc/rfc{number}#section-{section}")


def report(repository: str, number: int) -> Source:
    """Return an issue or a pull request on GitHub."""
    return Source(f"{repository}#{number}", f"https://github.com/{repository}/issues/{number}")


schema, protocol, oauth = (partial(rfc, number) for number in (7643, 7644, 6749))


def _page(title: str, name: str) -> Source:
    return Source(f"Microsoft: {title}", f"{LEARN}/{name}")


DEVELOP = _page("Develop a SCIM endpoint", "use-scim-to-provision-users-and-groups")
COMPLIANCE = _page("SCIM 2.0 protocol compliance", "application-provisioning-config-problem-scim-compatibility")
CUSTOMISE = _page("Customize attribute mappings", "customize-application-attributes")
HOW = _page("How application provisioning works", "how-provisioning-works")
KNOWN_ISSUES = _page("Known issues for provisioning", "known-issues")
QUARANTINE = _page("Application provisioning in quarantine", "application-provisioning-quarantine-status")
VALIDATOR = _page("SCIM Validator", "scim-validator-tutorial")
GALLERY = Source(
    "Microsoft: gallery validation tests",
    "https://github.com/AzureAD/SCIMReferenceCode/tree/master/Microsoft.SCIM.LogicAppValidationTemplate",
)

WORKLOAD_IDENTITY = Source(
    "Microsoft: Workload Identity Federation guide",
    "https://github.com/AzureAD/SCIMReferenceCode/blob/master/Workload-Identity-Federation-for-SCIM-Provisioning.md",
)

# By the name of the case.
SOURCES: dict[str, tuple[Source, ...]] = {
    "endpoint": (DEVELOP, QUARANTINE),
    "probe-users": (DEVELOP, protocol("3.4.2")),
    "probe-groups": (DEVELOP, protocol("3.4.2")),
    "list-types": (protocol("3.4.2"), schema("2.1")),
    "no-nulls": (schema("2.5"), DEVELOP),
    "content-type": (protocol("3.8"), DEVELOP),
    "write-content-types": (protocol("3.8"), report("MicrosoftDocs/azure-docs", 12728)),
    "bare-get": (report("MicrosoftDocs/azure-docs", 94189),),
    "filter-encoding": (protocol("3.4.2.2"), report("MicrosoftDocs/azure-docs", 94189)),
    "slashes": (report("AzureAD/SCIMReferenceCode", 44),),
    "flag-in-query": (COMPLIANCE,),
    "wrong-token": (protocol("2"), rfc(6750, "3.1")),
    "double-bearer": (report("grokability/snipe-it", 13968),),
    "unknown-id": (protocol("3.12"), DEVELOP),
    "burst": (DEVELOP,),
    "token-response": (oauth("4.4.3"), oauth("5.1"), DEVELOP),
    "token-lifetime": (GALLERY, DEVELOP),
    "token-not-stored": (oauth("5.1"),),
    "token-works": (rfc(6750, "2.1"), DEVELOP),
    "token-credentials": (oauth("2.3.1"), DEVELOP),
    "token-wrong-secret": (oauth("5.2"),),
    "token-unknown-client": (oauth("5.2"),),
    "token-grant": (oauth("5.2"), oauth("4.4.2")),
    "token-altered": (rfc(6750, "3"), rfc(6750, "3.1")),
    "token-assertions": (rfc(7523, "3"), rfc(8725, "3.1"), WORKLOAD_IDENTITY),
    "schema-discovery": (protocol("4"), DEVELOP, GALLERY),
    "paging": (protocol("3.4.2.4"), GALLERY),
    "group-paging": (protocol("3.4.2.4"), GALLERY),
    "match-forms": (DEVELOP, protocol("3.4.2.2")),
    "match-by-urn": (protocol("3.10"), report("rancher/rancher", 54871)),
    "match-old-forms": (DEVELOP, report("MicrosoftDocs/azure-docs", 83855)),
    "match-case": (schema("2.2"), protocol("3.4.2.2")),
    "match-special-characters": (protocol("3.4.2.2"), KNOWN_ISSUES),
    "ignored-filter": (protocol("3.4.2.2"), report("FusionAuth/fusionauth-issues", 3111)),
    "disabled-is-found": (DEVELOP,),
    "members-excluded": (protocol("3.9"), DEVELOP),
    "match-group-external-id": (DEVELOP, schema("3.1")),
    "manager-reference": (DEVELOP,),
    "member-reference": (DEVELOP, protocol("3.4.2.2")),
    "create": (protocol("3.3"), DEVELOP),
    "echo": (protocol("3.3"), GALLERY),
    "create-nulls": (schema("2.5"), DEVELOP),
    "create-schemas": (DEVELOP, CUSTOMISE),
    "create-manager": (report("apache/directory-scimple", 1242), schema("4.3")),
    "create-booleans": (COMPLIANCE, schema("2.3.2")),
    "create-duplicate-types": (schema("2.4"), CUSTOMISE),
    "conflict": (protocol("3.3"), protocol("3.12"), VALIDATOR),
    "adoption": (HOW, report("MicrosoftDocs/azure-docs", 11784)),
    "single-role": (CUSTOMISE,),
    "complex-roles": (CUSTOMISE, report("MicrosoftDocs/azure-docs", 50772)),
    "assertive-roles": (CUSTOMISE,),
    "idmelon-extension": (CUSTOMISE, schema("3.3")),
    "op-case": (COMPLIANCE,),
    "patch-answer": (protocol("3.5.2"), DEVELOP),
    "disable": (COMPLIANCE, HOW),
    "several-attributes": (COMPLIANCE, protocol("3.5.2")),
    "nested-without-path": (protocol("3.5.2.1"),),
    "add-is-replace": (protocol("3.5.2.1"), protocol("3.5.2.3")),
    "valued-path-creates": (report("Captain-P-Goldfish/SCIM-SDK", 416), protocol("3.5.2.1")),
    "valued-path-is-exact": (protocol("3.5.2.3"),),
    "email-primary": (schema("2.4"), COMPLIANCE),
    "wrapped-value": (report("jelhub/scimgateway", 117),),
    "null-update": (GALLERY, schema("2.5")),
    "user-name-required": (schema("4.1.1"),),
    "manager": (GALLERY, DEVELOP, schema("4.3")),
    "extension-path": (CUSTOMISE, protocol("3.10")),
    "formatted": (CUSTOMISE, schema("4.1.1")),
    "many-operations": (protocol("3.5.2"), VALIDATOR),
    "empty-patch": (VALIDATOR, report("scimmyjs/scimmy", 59)),
    "rename-conflict": (protocol("3.12"), protocol("3.5.2")),
    "create-group": (DEVELOP, protocol("3.3")),
    "add-members": (DEVELOP, protocol("3.5.2.1")),
    "remove-member": (COMPLIANCE, protocol("3.5.2.2")),
    "add-and-remove": (protocol("3.5.2"), VALIDATOR),
    "membership-race": (DEVELOP, report("Captain-P-Goldfish/SCIM-SDK", 646)),
    "rename-group": (DEVELOP, protocol("3.5.2.3")),
    "group-description": (CUSTOMISE,),
    "delete-group": (GALLERY, protocol("3.6")),
    "deleted-member": (protocol("3.6"),),
    "restore": (HOW,),
    "double-delete": (VALIDATOR, protocol("3.6")),
    "delete-frees-name": (protocol("3.6"),),
    "delete-unknown": (protocol("3.6"),),
}
