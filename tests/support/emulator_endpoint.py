"""A small SCIM endpoint in memory that passes every case of the validation."""

import json
import threading
import uuid

from werkzeug.wrappers import Request, Response

from entra.responses import LIST_RESPONSE
from entra.targets import CORE_GROUP, CORE_USER
from tests.support.emulator_scim import (
    ATTRIBUTES,
    EXTENSIONS,
    MULTI,
    ScimError,
    assign,
    change,
    fold,
    parse_filter,
)

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
CORE = {"User": CORE_USER, "Group": CORE_GROUP}

TOKEN = "let-me-in"


class Endpoint:
    """The WSGI application; `store` holds the resources by kind and id."""

    def __init__(self):
        self.store = {"User": {}, "Group": {}}
        self.lock = threading.RLock()
        self.requests = []

    def __call__(self, environ, start_response):
        return self.answer(Request(environ))(environ, start_response)

    def answer(self, request):
        self.requests.append((request.method, request.full_path))
        try:
            self.authenticate(request)
            with self.lock:
                return self.dispatch(request)
        except ScimError as problem:
            return self.problem(problem)

    def authenticate(self, request):
        if request.headers.get("Authorization", "").split()[-1:] != [TOKEN]:
            raise ScimError(401, "the token is wrong")

    def problem(self, problem):
        body = {"schemas": [ERROR], "status": str(problem.status), "detail": problem.detail}
        if problem.scim_type:
            body["scimType"] = problem.scim_type
        return self.json(body, problem.status)

    def json(self, body, status=200):
        return Response(json.dumps(body), status, content_type="application/scim+json")

    def dispatch(self, request):
        path = request.path.removeprefix("/scim")
        parts = [part for part in path.split("/") if part]
        query = dict(request.args)
        if request.query_string and b"/Users" in request.query_string and not parts:
            parts = ["Users"]
        if parts == ["Schemas"]:
            return self.schemas()
        kind = {"Users": "User", "Groups": "Group"}.get(parts[0] if parts else "")
        if kind is None:
            raise ScimError(404, "no such endpoint")
        body = json.loads(request.data) if request.data else None
        if len(parts) == 1:
            return self.collection(request.method, kind, query, body)
        return self.single(request.method, kind, parts[1], query, body)

    def collection(self, method, kind, query, body):
        if method == "POST":
            return self.create(kind, body)
        found = self.search(kind, query)
        start = max(int(query.get("startIndex", 1)), 1)
        count = max(int(query.get("count", 100)), 0)
        page = found[start - 1 : start - 1 + count]
        return self.listing([self.render(kind, r, query) for r in page], len(found), start)

    def search(self, kind, query):
        test = parse_filter(query["filter"]) if "filter" in query else lambda _: True
        return [r for r in list(self.store[kind].values()) if test(self.searchable(kind, r))]

    def searchable(self, kind, resource):
        return resource

    def listing(self, resources, total, start):
        body = {
            "schemas": [LIST_RESPONSE],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": len(resources),
            "Resources": resources,
        }
        return self.json(body)

    def single(self, method, kind, id, query, body):
        resource = self.store[kind].get(id)
        if resource is None:
            raise ScimError(404, f"{kind} {id} not found")
        if method == "DELETE":
            return self.delete(kind, id)
        if method == "PATCH":
            return self.patch(kind, resource, body)
        if method == "GET":
            return self.json(self.render(kind, resource, query))
        raise ScimError(405, f"{method} is not supported")

    def create(self, kind, body):
        resource = self.accept(kind, body)
        resource["id"] = str(uuid.uuid4())
        self.check_unique(kind, resource)
        self.store[kind][resource["id"]] = resource
        return self.json(self.render(kind, resource, {}), 201)

    def accept(self, kind, body):
        resource = {"active": True} if kind == "User" else {}
        for name, value in body.items():
            if name in ("schemas", "meta", "id"):
                continue
            assign(resource, name, value)
        if not resource.get("userName" if kind == "User" else "displayName"):
            raise ScimError(400, "a required attribute is missing", "invalidValue")
        return resource

    def check_unique(self, kind, resource):
        name = "userName" if kind == "User" else "displayName"
        for other in self.store[kind].values():
            if other["id"] != resource["id"] and fold(other[name]) == fold(resource[name]):
                raise ScimError(409, f"{name} {resource[name]} is taken", "uniqueness")

    def delete(self, kind, id):
        del self.store[kind][id]
        for group in self.store["Group"].values():
            group["members"] = [m for m in group.get("members", []) if m["value"] != id]
        return Response(status=204)

    def patch(self, kind, resource, body):
        changed = json.loads(json.dumps(resource))
        for operation in body["Operations"]:
            self.operate(changed, operation)
        if not changed.get("userName" if kind == "User" else "displayName"):
            raise ScimError(400, "a required attribute is missing", "invalidValue")
        self.check_unique(kind, changed)
        self.store[kind][changed["id"]] = changed
        return self.patched(kind, changed)

    def patched(self, kind, resource):
        return Response(status=204) if kind == "Group" else self.json(self.render(kind, resource, {}))

    def operate(self, resource, operation):
        verb, path, value = operation["op"].lower(), operation.get("path"), operation.get("value")
        if verb not in ("add", "replace", "remove"):
            raise ScimError(400, f"the operation {verb} is unknown", "invalidSyntax")
        if path is None:
            for name, inner in value.items():
                change(resource, verb, name, inner)
        else:
            change(resource, verb, path, value)

    def render(self, kind, resource, query):
        schemas = [CORE[kind], *(urn for urn in EXTENSIONS if resource.get(urn))]
        body = {"schemas": schemas, **json.loads(json.dumps(resource)), "meta": {"resourceType": kind}}
        if kind == "Group":
            body.setdefault("members", [])
        wanted = [a.strip() for a in query.get("attributes", "").split(",") if a.strip()]
        if wanted:
            body = {k: v for k, v in body.items() if k in (*wanted, "id", "schemas")}
        for name in query.get("excludedAttributes", "").split(","):
            body.pop(name.strip(), None)
        return body

    def schemas(self):
        found = [self.schema(urn, names.split()) for urn, names in ATTRIBUTES.items()]
        return self.listing(found, len(found), 1)

    def schema(self, urn, names):
        attributes = [
            {"name": n, "type": "string", "multiValued": n in MULTI, "mutability": "readWrite"} for n in names
        ]
        return {"id": urn, "name": urn.rpartition(":")[2], "attributes": attributes}
