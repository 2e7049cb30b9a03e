"""A synchronizationSchema as Entra exports it."""

from entra import graph
from entra.targets import ENTERPRISE


def attribute(name, **more):
    return {"name": name, "type": "String", "anchor": False, "required": False, **more}


def row(target, expression, **more):
    kind = "Attribute" if expression.startswith("[") else "Function"
    source = {"expression": expression, "name": expression.strip("[]").partition("(")[0], "type": kind}
    return {
        "targetAttributeName": target,
        "source": {**source, "parameters": []},
        "defaultValue": "",
        "flowBehavior": "FlowWhenChanged",
        "flowType": "Always",
        "matchingPriority": 0,
        **more,
    }


def exported():
    """A schema in the documented format of Microsoft Graph, as a non-gallery application has it."""
    users = [
        row("userName", "[userPrincipalName]", matchingPriority=1),
        row("active", 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'),
        row("displayName", "[displayName]"),
        row('emails[type eq "work"].value', "[mail]"),
        row("externalId", "[mailNickname]"),
        row(f"{ENTERPRISE}:manager", "[manager]"),
    ]
    groups = [
        row("displayName", "[displayName]", matchingPriority=1),
        row("externalId", "[objectId]"),
        row("members", "[members]"),
    ]
    names = [r["targetAttributeName"] for r in users]
    return {
        "id": "customappsso.1234.5678",
        "version": "v1.0",
        "directories": [
            {"id": "1", "name": "Azure Active Directory", "objects": [{"name": "User", "attributes": []}]},
            {
                "id": "2",
                "name": "customappsso",
                "objects": [
                    {"name": "User", "attributes": [attribute("id", anchor=True), *map(attribute, names)]},
                    {"name": "Group", "attributes": [attribute("displayName"), attribute("externalId")]},
                ],
            },
        ],
        "synchronizationRules": [
            {
                "id": "3",
                "name": "USER_TO_USER",
                "sourceDirectoryName": "Azure Active Directory",
                "targetDirectoryName": "customappsso",
                "objectMappings": [
                    mapping("User", users),
                    mapping("Group", groups),
                ],
            }
        ],
    }


def mapping(kind, rows):
    return {
        "enabled": True,
        "flowTypes": "Add, Update, Delete",
        "name": f"Provision {kind}s",
        "sourceObjectName": kind,
        "targetObjectName": kind,
        "attributeMappings": rows,
    }


def rows_of(document, kind):
    return graph.object_mapping(document, kind)["attributeMappings"]
