"""Endpoints with one fault each that Entra's client does not tolerate, and one with odd but tolerated responses."""

import json
import uuid

from werkzeug.wrappers import Response

from entra.targets import ENTERPRISE
from tests.support.emulator_endpoint import CORE, Endpoint
from tests.support.emulator_scim import ScimError, change


class EmptySearchIs404(Endpoint):
    def listing(self, resources, total, start):
        if not total:
            raise ScimError(404, "nothing found")
        return super().listing(resources, total, start)


class EmptySearchIsHtml(Endpoint):
    def listing(self, resources, total, start):
        if not total:
            return Response("<h1>Nothing</h1>", 200, content_type="text/html")
        return super().listing(resources, total, start)


class NoGroups(Endpoint):
    def collection(self, method, kind, query, body):
        if kind == "Group":
            raise ScimError(404, "no groups here")
        return super().collection(method, kind, query, body)


class BareObject(Endpoint):
    def listing(self, resources, total, start):
        return self.json(resources[0]) if total == 1 else super().listing(resources, total, start)


class BareArray(Endpoint):
    def listing(self, resources, total, start):
        return self.json(resources)


class NoId(Endpoint):
    def render(self, kind, resource, query):
        return {k: v for k, v in super().render(kind, resource, query).items() if k != "id"}


class ChangingId(Endpoint):
    def render(self, kind, resource, query):
        return {**super().render(kind, resource, query), "id": str(uuid.uuid4())}


class FilterIgnored(Endpoint):
    def search(self, kind, query):
        known = {k: v for k, v in query.items() if k != "filter" or not v.startswith(("noSuch", "externalId"))}
        return super().search(kind, known)


class MembersNotExcluded(Endpoint):
    def render(self, kind, resource, query):
        return super().render(kind, resource, {k: v for k, v in query.items() if k != "excludedAttributes"})


class StringManager(Endpoint):
    def render(self, kind, resource, query):
        body = super().render(kind, resource, query)
        if body.get(ENTERPRISE, {}).get("manager"):
            body[ENTERPRISE]["manager"] = body[ENTERPRISE]["manager"]["value"]
        return body


class StringBooleans(Endpoint):
    def render(self, kind, resource, query):
        body = super().render(kind, resource, query)
        return {**body, "active": str(body["active"])} if "active" in body else body


class StringTotal(Endpoint):
    def json(self, body, status=200):
        if "totalResults" in body:
            body = {**body, "totalResults": str(body["totalResults"])}
        return super().json(body, status)


class Nulls(Endpoint):
    def render(self, kind, resource, query):
        return {"nickName": None, **super().render(kind, resource, query)}


class SchemasWithNulls(Endpoint):
    def schema(self, urn, names):
        return {**super().schema(urn, names), "description": None}


class SchemasAsArray(Endpoint):
    def schemas(self):
        return self.json([self.schema(CORE["User"], ["userName"])])


class LowerCaseKeys(Endpoint):
    def json(self, body, status=200):
        if "Resources" in body:
            body = {**body, "resources": body["Resources"]}
            del body["Resources"]
        return super().json(body, status)


class UpperCaseMeta(Endpoint):
    def render(self, kind, resource, query):
        body = super().render(kind, resource, query)
        return {("Meta" if k == "meta" else k): v for k, v in body.items()}


class NoActiveOnDisabled(Endpoint):
    def render(self, kind, resource, query):
        body = super().render(kind, resource, query)
        return body if body.get("active") else {k: v for k, v in body.items() if k != "active"}


class DisabledHidden(Endpoint):
    def search(self, kind, query):
        return [r for r in super().search(kind, query) if r.get("active") is not False]


class PhoneNormalised(Endpoint):
    def accept(self, kind, body):
        resource = super().accept(kind, body)
        for phone in resource.get("phoneNumbers", []):
            phone["value"] = "".join(c for c in phone["value"] if c.isdigit())
        return resource


class ExternalIdNotEchoed(Endpoint):
    def render(self, kind, resource, query):
        return {k: v for k, v in super().render(kind, resource, query).items() if k != "externalId"}


class NoPatch(Endpoint):
    status = 405

    def patch(self, kind, resource, body):
        raise ScimError(self.status, "PATCH is not supported")


class PatchNotImplemented(NoPatch):
    status = 501


class PatchWithoutBody(Endpoint):
    def patched(self, kind, resource):
        return Response(status=200)


class StartIndexNotEchoed(Endpoint):
    def listing(self, resources, total, start):
        return super().listing(resources, total, 1)


class PlainJson(Endpoint):
    def json(self, body, status=200):
        return Response(json.dumps(body), status, content_type="application/json")


class RemovalEmptiesGroup(Endpoint):
    def operate(self, resource, operation):
        if operation["op"] == "Remove" and operation.get("path") == "members":
            resource.pop("members", None)
        else:
            super().operate(resource, operation)


class NoTarget(Endpoint):
    def operate(self, resource, operation):
        path = operation.get("path") or ""
        if "[" in path and path.partition("[")[0] not in resource:
            raise ScimError(400, "no target", "noTarget")
        super().operate(resource, operation)


class DottedKeysIgnored(Endpoint):
    def operate(self, resource, operation):
        if operation.get("path") is None:
            for name, value in operation["value"].items():
                if "." not in name:
                    change(resource, operation["op"].lower(), name, value)
        else:
            super().operate(resource, operation)


class GetNeedsContentType(Endpoint):
    def dispatch(self, request):
        if request.method == "GET" and not request.content_type:
            raise ScimError(406, "which media type?")
        return super().dispatch(request)


class DuplicatesAccepted(Endpoint):
    def check_unique(self, kind, resource):
        pass


class DisablingLeavesGroups(Endpoint):
    def patched(self, kind, resource):
        if resource.get("active") is False:
            for group in self.store["Group"].values():
                group["members"] = [m for m in group.get("members", []) if m["value"] != resource["id"]]
        return super().patched(kind, resource)


class SecondDeleteIs204(Endpoint):
    def single(self, method, kind, id, query, body):
        if method == "DELETE" and id not in self.store[kind]:
            return Response(status=204)
        return super().single(method, kind, id, query, body)


class OpenToAll(Endpoint):
    def authenticate(self, request):
        pass


class Tolerated(Endpoint):
    """Differs from the RFC in ways that Entra tolerates."""

    def render(self, kind, resource, query):
        body = super().render(kind, resource, query)
        if kind == "User":
            body.setdefault(ENTERPRISE, {})
        return {**body, "schemas": [*body["schemas"], "urn:example:surplus"], "shoeSize": 44}

    def create(self, kind, body):
        answer = super().create(kind, body)
        answer.status_code = 200
        return answer


class Scripted(Endpoint):
    """Returns the given responses one after the other, from request number `after` + 1 on."""

    def __init__(self, responses, after=2):
        super().__init__()
        self.responses = iter(responses)
        self.after = after

    def answer(self, request):
        self.after -= 1
        scripted = next(self.responses, None) if self.after < 0 else None
        if scripted is None:
            return super().answer(request)
        status, body = scripted
        return Response(body, status, content_type="application/scim+json")


# The case that must detect each fault; other cases may fail with it.
FAULTS = {
    EmptySearchIs404: "probe-users",
    EmptySearchIsHtml: "probe-users",
    NoGroups: "probe-groups",
    BareObject: "match-forms",
    BareArray: "probe-users",
    NoId: "create",
    ChangingId: "create",
    FilterIgnored: "ignored-filter",
    MembersNotExcluded: "members-excluded",
    StringManager: "create-manager",
    StringBooleans: "create-booleans",
    StringTotal: "list-types",
    Nulls: "no-nulls",
    SchemasWithNulls: "schema-discovery",
    SchemasAsArray: "schema-discovery",
    LowerCaseKeys: "list-types",
    UpperCaseMeta: "list-types",
    NoActiveOnDisabled: "disabled-is-found",
    DisabledHidden: "disabled-is-found",
    PhoneNormalised: "echo",
    ExternalIdNotEchoed: "echo",
    NoPatch: "patch-answer",
    PatchNotImplemented: "patch-answer",
    PatchWithoutBody: "patch-answer",
    StartIndexNotEchoed: "paging",
    PlainJson: "content-type",
    RemovalEmptiesGroup: "remove-member",
    NoTarget: "valued-path-creates",
    DottedKeysIgnored: "several-attributes",
    GetNeedsContentType: "bare-get",
    DuplicatesAccepted: "conflict",
    DisablingLeavesGroups: "restore",
    SecondDeleteIs204: "double-delete",
    OpenToAll: "wrong-token",
}
