"""SCIM paths, PATCH operations and filters, as small as the endpoint in memory needs them."""

import json
import re

from entra.targets import CORE_GROUP, CORE_USER, ENTERPRISE, IDMELON

EXTENSIONS = (ENTERPRISE, IDMELON)

EXACT = {"externalId", "id", "value"}

MULTI = {"emails", "phoneNumbers", "addresses", "roles", "members", "ims", "photos"}

ATTRIBUTES = {
    CORE_USER: "userName displayName nickName name emails phoneNumbers addresses roles title active "
    "preferredLanguage externalId userType locale timezone",
    CORE_GROUP: "displayName members description externalId",
    ENTERPRISE: "employeeNumber department division costCenter organization manager",
    IDMELON: "immutable_id extraAttribute1 extraAttribute2 extraAttribute3 extraAttribute4 extraAttribute5",
}

PATH = re.compile(r"(?P<name>[^.\[]+)(?:\[(?P<filter>.*)\])?(?:\.(?P<sub>\w+))?$")

TERM = re.compile(r'\s*(?P<path>[^\s\[]+(?:\[[^\]]*\])?[^\s]*)\s+(?P<op>\w+)\s+(?P<value>"(?:[^"\\]|\\.)*"|\S+)\s*')

AND = re.compile(r"and\s+", re.I)


class ScimError(Exception):
    def __init__(self, status, detail, scim_type=None):
        super().__init__(detail)
        self.status, self.detail, self.scim_type = status, detail, scim_type


def fold(text):
    return str(text).casefold()


def split_path(path):
    """Part a path into container URN, attribute, value filter and sub-attribute."""
    for urn in (CORE_USER, CORE_GROUP, *EXTENSIONS):
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
