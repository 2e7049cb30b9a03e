"""The tenant file: users, groups and assignments under the names that attribute mappings give them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from entra import texts

Scoping = Literal["assigned", "all"]
Source = dict[str, Any]


class TenantError(ValueError):
    """The tenant file is not one; the message says where."""


@dataclass(frozen=True, slots=True)
class Object:
    """A user or a group of the tenant."""

    kind: str
    source: Source

    @property
    def id(self) -> str:
        """The objectId, which never changes."""
        return str(self.source["objectId"])

    @property
    def name(self) -> str:
        """What a person calls it."""
        return str(self.source.get("userPrincipalName") or self.source.get("displayName") or self.id)

    @property
    def deleted(self) -> bool:
        """Say whether it lies in the recycle bin (it comes back from there, or is purged)."""
        return bool(self.source.get("softDeleted"))

    @property
    def enabled(self) -> bool:
        """Say whether the account is enabled; a group always is."""
        return self.source.get("accountEnabled") is not False

    @property
    def members(self) -> list[str]:
        """The objectIds of a group's members."""
        return list(self.source.get("members") or [])


@dataclass(slots=True)
class Tenant:
    """One directory as it stands now; who is not in it any more was purged."""

    name: str = "Contoso"
    domain: str = "contoso.example"
    objects: dict[str, Object] = field(default_factory=dict)
    assignments: set[str] = field(default_factory=set)

    def of(self, kind: str) -> list[Object]:
        """Every user, or every group, in the file's order."""
        return [o for o in self.objects.values() if o.kind == kind]

    def assigned(self) -> set[str]:
        """Who is assigned to the application: directly, or as a direct member of a group that is."""
        found = set(self.assignments)
        for group in self.of("Group"):
            if group.id in self.assignments and not group.deleted:
                found.update(m for m in group.members if self._is_user(m))
        return found

    def find(self, text: str) -> Object | None:
        """Find one object by objectId, user principal name, mail or display name."""
        wanted = text.casefold()
        for key in ("objectId", "userPrincipalName", "mail", "displayName"):
            for candidate in self.objects.values():
                if str(candidate.source.get(key, "")).casefold() == wanted:
                    return candidate
        return None

    def _is_user(self, object_id: str) -> bool:
        found = self.objects.get(object_id)
        return found is not None and found.kind == "User"  # Entra does not read nested groups


def digest(value: Any) -> str:
    """Take a fingerprint of a JSON value: what the watermark remembers of it."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load(path: Path) -> Tenant:
    """Read a tenant file. Raises TenantError, which names what is wrong with it."""
    try:
        raw = texts.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TenantError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise TenantError(f"{path} is not JSON: {error}") from None
    try:
        return from_json(raw)
    except TenantError as error:
        raise TenantError(f"{path}: {error}") from None


def from_json(raw: Any) -> Tenant:
    """Make a tenant of its parsed file."""
    if not isinstance(raw, dict) or not isinstance(raw.get("users"), list):
        raise TenantError('a tenant file is an object with a "users" list; `python -m entra demo` makes one')
    about, groups = raw.get("tenant") or {}, raw.get("groups") or []
    if not isinstance(about, dict) or not isinstance(groups, list):
        raise TenantError('its "tenant" should be an object and its "groups" a list')
    tenant = Tenant(about.get("displayName", "Contoso"), about.get("domain", "contoso.example"))
    for kind, key, sources in (("User", "users", raw["users"]), ("Group", "groups", groups)):
        for number, source in enumerate(sources):
            _add(tenant, kind, source, f"{key}[{number}]")
    _check_ids(raw.get("assignments", []), '"assignments"')
    tenant.assignments = set(raw.get("assignments", tenant.objects))
    return tenant


def to_json(tenant: Tenant) -> dict[str, Any]:
    """Make the parsed file of a tenant."""
    return {
        "tenant": {"displayName": tenant.name, "domain": tenant.domain},
        "users": [o.source for o in tenant.of("User")],
        "groups": [o.source for o in tenant.of("Group")],
        "assignments": sorted(tenant.assignments),
    }


def _add(tenant: Tenant, kind: str, source: Any, where: str) -> None:
    required = "userPrincipalName" if kind == "User" else "displayName"
    if not isinstance(source, dict):
        raise TenantError(f"{where} is not an object")
    for key in ("objectId", required):
        if not isinstance(source.get(key), str) or not source[key]:
            raise TenantError(f'{where} has no "{key}"')
    if source["objectId"] in tenant.objects:
        raise TenantError(f"{where} repeats the objectId {source['objectId']}")
    if not isinstance(source.get("manager") or "", str):
        raise TenantError(f'"manager" of {where} is no objectId')
    _check_ids(source.get("members") or [], f'"members" of {where}')
    tenant.objects[source["objectId"]] = Object(kind, source)


def _check_ids(value: Any, where: str) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TenantError(f"{where} should be a list of objectIds")
