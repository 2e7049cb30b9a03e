"""A small SCIM endpoint in memory that Entra is content with; `broken.py` makes the faulty ones of it."""

import json
import re
import threading
import uuid

from werkzeug.wrappers import Request, Response

from tests.urns import ERROR, IDMELON

CORE = {
    "User": "urn:ietf:params:scim:schemas:core:2.0:User",
    "Group": "urn:ietf:params:scim:schemas:core:2.0:Group",
}
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
EXTENSIONS = (ENTERPRISE, IDMELON)
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
TOKEN = "let-me-in"
EXACT = {"externalId", "id", "value"}
MULTI = {"emails", "phoneNumbers", "addresses", "roles", "members", "ims", "photos"}
ATTRIBUTES = {
    CORE["User"]: "userName displayName nickName name emails phoneNumbers addresses roles title active "
    "preferredLanguage externalId userType locale timezone",
    CORE["Group"]: "displayName members description externalId",
    ENTERPRISE: "employeeNumber department division costCenter organization manager",
    IDMELON: "immutable_id extraAttribute1 extraAttribute2 extraAttribute3 extraAttribute4 extraAttribute5",
}


class ScimError(Exception):
    def __init__(self, status, detail, scim_type=None):
        super().__init__(detail)
        self.status, self.detail, self.scim_type = status, detail, scim_type


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
            "schemas": [LIST],
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


def fold(text):
    return str(text).casefold()


# Paths ------------------------------------------------------------------------------------------------------

PATH = re.compile(r"(?P<name>[^.\[]+)(?:\[(?P<filter>.*)\])?(?:\.(?P<sub>\w+))?$")


def split_path(path):
    """Part a path into container URN, attribute, value filter and sub-attribute."""
    for urn in (*CORE.values(), *EXTENSIONS):
        if path.lower().startswith(urn.lower() + ":"):
            name, _, sub = path[len(urn) + 1 :].partition(".") if urn == ENTERPRISE else (path[len(urn) + 1 :], "", "")
            if urn in EXTENSIONS:
                return urn, name, None, sub or None
            path = path[len(urn) + 1 :]
    match = PATH.match(path)
    if match is None:
        raise ScimError(400, f"the path {path} is invalid", "invalidPath")
    urn = ENTERPRISE if match["name"] == "manager" else None
    return urn, match["name"], match["filter"], match["sub"]


def clean(name, value):
    """Give a value the type that its attribute has: real booleans, an object for the manager, decoded roles."""
    if name in ("active", "primary") and isinstance(value, str):
        return value.lower() == "true"
    if name == "manager":
        value = value[0] if isinstance(value, list) else value
        return {"value": value} if isinstance(value, str) and value else value if isinstance(value, dict) else None
    if isinstance(value, list):
        return [clean_element(item) for item in value]
    if isinstance(value, dict):
        return {k: clean(k, v) for k, v in value.items() if v not in (None, "")}
    return value


def clean_element(item):
    if not isinstance(item, dict):
        return item
    inner = item.get("value")
    if isinstance(inner, str) and inner.startswith("{"):
        decoded = json.loads(inner)
        item = {"value": decoded["value"], "display": decoded["displayName"]}
    return {k: clean(k, v) for k, v in item.items() if v is not None}


def assign(container, name, value):
    value = clean(name, value)
    if name.lower().startswith("urn:"):
        inner = {k: clean(k, v) for k, v in (value or {}).items()}
        container.setdefault(name, {}).update({k: v for k, v in inner.items() if v not in (None, "")})
    elif value in (None, "", []):
        container.pop(name, None)
    elif name in MULTI and isinstance(value, list):
        container[name] = unique(value)
    else:
        container[name] = value


def unique(items):
    seen = {}
    for item in items:
        key = (item.get("type"), item.get("value")) if "type" in item else item.get("value", json.dumps(item))
        seen.setdefault(key, item)
    return list(seen.values())


# PATCH ------------------------------------------------------------------------------------------------------


def change(resource, verb, path, value):
    if path in EXTENSIONS:
        for name, inner in value.items():
            change(resource, verb, f"{path}:{name}", inner)
        return
    urn, name, filter, sub = split_path(path)
    container = resource.setdefault(urn, {}) if urn else resource
    if name == "roles" and verb == "add" and filter is None:
        container["roles"] = merge_roles(container.get("roles", []), clean("roles", value))
    elif name in MULTI and filter is not None:
        change_elements(container, verb, name, filter, sub, value)
    elif name in MULTI:
        change_list(container, verb, name, clean(name, value))
    elif verb == "remove" or (filter and name == "manager"):
        container.pop(name, None)
    elif sub and name != "manager":
        assign(container.setdefault(name, {}), sub, value)
        if not container[name]:
            del container[name]
    elif isinstance(value, dict) and name == "name":
        for key, inner in value.items():
            assign(container.setdefault(name, {}), key, inner)
    else:
        assign(container, name, value)
    if urn and not container:
        del resource[urn]


def merge_roles(old, new):
    values = {role["value"] for role in old}
    return old + [role for role in new if role["value"] not in values]


def change_list(container, verb, name, value):
    old = container.get(name, [])
    if verb == "add":
        container[name] = unique(old + value)
    elif verb == "replace":
        container[name] = unique(value or [])
    else:
        gone = {item["value"] for item in value or old}
        container[name] = [item for item in old if item["value"] not in gone]
    if not container[name]:
        del container[name]


def change_elements(container, verb, name, filter, sub, value):
    test, elements = parse_filter(filter), container.get(name, [])
    chosen = [e for e in elements if test(e)]
    if verb == "remove" and sub is None:
        container[name] = [e for e in elements if e not in chosen]
    else:
        if not chosen and value not in (None, ""):
            chosen = [made_of(filter)]
            elements = [*elements, chosen[0]]
        for element in chosen:
            change_element(element, sub, value, elements)
        container[name] = [e for e in elements if set(e) - {"type", "primary"}]
    if not container[name]:
        del container[name]


def change_element(element, sub, value, elements):
    if isinstance(value, list):
        value = value[0]["value"]
    if sub is None:
        element.update(clean("", value))
    elif value in (None, ""):
        element.pop(sub, None)
    else:
        element[sub] = clean(sub, value)
        if sub == "primary" and element[sub]:
            for other in elements:
                if other is not element:
                    other["primary"] = False


def made_of(filter):
    key, _, value = filter.partition(" eq ")
    return {key.strip(): clean(key.strip(), json.loads(value))}


# Filters ----------------------------------------------------------------------------------------------------

TERM = re.compile(r'\s*(?P<path>[^\s\[]+(?:\[[^\]]*\])?[^\s]*)\s+(?P<op>\w+)\s+(?P<value>"(?:[^"\\]|\\.)*"|\S+)\s*')
AND = re.compile(r"and\s+", re.I)


def parse_filter(text):
    """Make a predicate of a filter with `eq` and `and`."""
    tests, position = [], 0
    while position < len(text):
        match = TERM.match(text, position)
        if match is None or match["op"].lower() != "eq":
            raise ScimError(400, f"the filter {text} is invalid", "invalidFilter")
        tests.append(equality(match["path"], match["value"]))
        position = match.end()
        joined = AND.match(text, position)
        if joined:
            position = joined.end()
        elif position < len(text):
            raise ScimError(400, f"the filter {text} is invalid", "invalidFilter")
    return lambda resource: all(test(resource) for test in tests)


def equality(path, literal):
    wanted = json.loads(literal) if literal.startswith('"') else {"true": True, "false": False}.get(literal, literal)
    urn, name, filter, sub = split_path(path)
    known = {n.lower(): n for names in ATTRIBUTES.values() for n in [*names.split(), "id", "type", "value", "primary"]}
    name = known.get(name.lower())
    if name is None:
        raise ScimError(400, f"the attribute of {path} is unknown", "invalidFilter")

    def test(resource):
        container = (resource.get(urn) or {}) if urn else resource
        found = container.get(name)
        if filter is not None:
            inner = parse_filter(filter)
            found = [e.get(sub or "value") for e in found or [] if inner(e)]
        return any(same(name, value, wanted) for value in plain(found, sub))

    return test


def plain(found, sub=None):
    for item in found if isinstance(found, list) else [found]:
        yield item.get(sub or "value") if isinstance(item, dict) else item


def same(name, value, wanted):
    if value is None:
        return False
    if isinstance(value, bool):
        return value is (fold(wanted) == "true")
    return str(value) == str(wanted) if name in EXACT else fold(value) == fold(wanted)
