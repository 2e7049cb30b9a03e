"""Elements and operations of many sizes."""


def names(count):
    """Return names that no other size has, as what paths mean is remembered."""
    return [f"{n} of {count}" for n in range(count)]


def emails(count):
    return [{"value": name, "type": "work"} for name in names(count)]


def add(*elements, path="emails"):
    return {"op": "add", "path": path, "value": list(elements)}


def remove(path):
    return {"op": "remove", "path": path}


def any_of(terms):
    return f"emails[{' or '.join(terms)}]"


def types(count):
    return [{"value": "same", "type": f"type {n}"} for n in range(count)]


def listed(names):
    return [{"value": name} for name in names]
