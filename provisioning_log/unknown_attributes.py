"""Collects the attributes that clients sent but no schema declares, and how to declare them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provisioning_log import portal
from provisioning_log.entries import Entry
from provisioning_log.search import Criteria, matching
from scim.directory.service import Service
from scim.schema.attributes import fold

MAX_UNKNOWN = 200  # the newest attributes
_NO_ATTRIBUTE = re.compile(r'There is no attribute "(.*)" in \w+\. Remove', re.DOTALL)
# Names that can be declared and need no escaping in TOML.
_URN = re.compile(r"urn(?::[\w.~-]+){2,}", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_$-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unknown:
    """An attribute that no schema declares, how often it was sent, and when last.

    `table` declares it in the configuration; `target` is its name then.
    """

    type: str
    name: str
    count: int
    last: str
    target: str
    table: str

    @property
    def advice(self) -> str:
        """What to do about the attribute."""
        moved = f' Then change the mapping\'s target to "{self.target}".' if self.target != self.name else ""
        return (
            f'Remove the mapping whose target is "{self.name}" in Entra\'s {portal.MAPPING}, or declare the attribute '
            f"in the configuration and restart the service.{moved}"
        )


def unknown_attributes(lines: Iterable[bytes], service: Service) -> list[Unknown]:
    """Return the attributes in these lines that no schema declared, then or now, newest first."""
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], str] = {}
    known: set[tuple[str, str]] = set()
    for entry in matching(_relevant_lines(lines), Criteria()):
        for name in _names(entry):
            found = (entry.type, name)
            if found not in last and found not in known and len(last) < MAX_UNKNOWN:
                (known.add(found) if _is_known(service, *found) else last.setdefault(found, entry.time))
            counts[found] += found in last
    return [
        Unknown(type, name, counts[type, name], moment, *_declaration(service, type, name))
        for (type, name), moment in last.items()
    ]


def _relevant_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in lines if b'"unknown":[' in line or b'"invalidPath"' in line)


def _names(entry: Entry) -> Iterator[str]:
    for name in entry.unknown:
        yield from _inside(name, entry.request)
    answer = entry.response if isinstance(entry.response, Mapping) else {}
    found = _NO_ATTRIBUTE.match(str(answer.get("detail", "")))
    if found:
        yield found[1]


def _inside(name: str, request: Any) -> list[str]:
    """Return the attributes sent under a name that is an extension's URN, or the name itself."""
    held = request.get(name) if isinstance(request, Mapping) else None
    return [f"{name}:{inner}" for inner in held] if isinstance(held, Mapping) and ":" in name else [name]


def _is_known(service: Service, type: str, name: str) -> bool:
    known = service.registry.types.get(type)
    return bool(known and known.resolve(name))


def _declaration(service: Service, type: str, name: str) -> tuple[str, str]:
    """Return the attribute's full name and its [[schemas]] table, or the lines to add to an existing one."""
    urn, _, text = name.rpartition(":") if fold(name).startswith("urn:") else ("", "", name)
    found = _ATTRIBUTE.match(text)
    attribute = found[0] if found else "name"
    declared = {str(table.get("id")) for table in service.startup_config.schemas}
    if not _URN.fullmatch(urn) or (urn in service.registry.schemas and urn not in declared):
        # Built-in schemas cannot be extended: use a new extension.
        urn = f"urn:ietf:params:scim:schemas:extension:contoso:2.0:{type}"
    lines = ["  [[schemas.attributes]]", f'  name = "{attribute}"', '  type = "string"']
    if urn not in declared:
        head = ["[[schemas]]", f'id = "{urn}"', f'name = "{_schema_name(urn, type)}"', f'extends = "{type}"']
    else:
        head = [f'# add below the [[schemas]] table with the id "{urn}"']
    return f"{urn}:{attribute}", "\n".join((*head, *lines))


def _schema_name(urn: str, type: str) -> str:
    """Return a name such as ContosoUser for urn:...:extension:contoso:2.0:User."""
    words = [word for word in urn.split(":")[:-1] if word.isalpha()]
    return f"{words[-1].capitalize() if words else 'Custom'}{type}"
