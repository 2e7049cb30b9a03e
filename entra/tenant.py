"""The tenant file: users, groups and assignments, with the attribute names that mappings use."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from entra import strict_json, tenant_keys
from entra.tenant_keys import UnknownKeyError

Scoping = Literal["assigned", "all"]
Source = dict[str, Any]


class TenantError(ValueError):
    """The tenant file is invalid; the message names the place."""


@dataclass(frozen=True, slots=True)
class DirectoryObject:
    """A user or a group of the tenant."""

    kind: str
    source: Source

    @property
    def id(self) -> str:
        """The objectId, which never changes."""
        return str(self.source["objectId"])

    @property
    def name(self) -> str:
        """The name for messages: user principal name, display name or id."""
        return str(self.source.get("userPrincipalName") or self.source.get("displayName") or self.id)

    @property
    def deleted(self) -> bool:
        """Whether the object is soft-deleted: it can be restored until it is purged."""
        return bool(self.source.get("softDeleted"))

    @property
    def enabled(self) -> bool:
        """Whether the account is enabled; always true for a group."""
        return self.source.get("accountEnabled") is not False

    @property
    def members(self) -> list[str]:
        """The objectIds of a group's members."""
        return list(self.source.get("members") or [])


@dataclass(slots=True)
class Tenant:
    """The current directory; an object that is linked but missing here was purged."""

    name: str = "Contoso"
    domain: str = "contoso.example"
    objects: dict[str, DirectoryObject] = field(default_factory=dict)
    assignments: set[str] = field(default_factory=set)

    def of(self, kind: str) -> list[DirectoryObject]:
        """Return every user or every group, in file order."""
        return [o for o in self.objects.values() if o.kind == kind]

    def assigned(self) -> set[str]:
        """Return the ids assigned to the application, directly or as direct members of an assigned group."""
        found = set(self.assignments)
        users = {user.id for user in self.of("User")}
        for group in self.of("Group"):
            if group.id in self.assignments and not group.deleted:
                found.update(users.intersection(group.members))  # Entra does not read nested groups
        return found

    def find(self, text: str) -> DirectoryObject | None:
        """Find one object by objectId, user principal name, mail or display name."""
        wanted = text.casefold()
        for key in ("objectId", "userPrincipalName", "mail", "displayName"):
            for candidate in self.objects.values():
                if str(candidate.source.get(key, "")).casefold() == wanted:
                    return candidate
        return None


def digest(value: Any) -> str:
    """Return a short hash of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load(path: Path, mapped: frozenset[str] | None = None) -> Tenant:
    """Read a tenant file. Raises TenantError if it is invalid, or has keys that are unknown and not in `mapped`.

    Keys are not checked without `mapped`, because mappings may read any attribute.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = strict_json.loads(text)
        tenant = from_json(raw)
        if mapped is not None:
            tenant_keys.check(raw, text, mapped)
    except OSError as error:
        raise TenantError(f"{path}: {error.strerror}") from None
    except (TenantError, UnknownKeyError) as error:
        raise TenantError(f"{path}: {error}") from None
    except ValueError as error:
        raise TenantError(f"{path} is not JSON: {error}") from None
    return tenant


def from_json(raw: Any) -> Tenant:
    """Build a tenant from a parsed file. Raises TenantError if the content is invalid."""
    if not isinstance(raw, dict) or not isinstance(raw.get("users"), list):
        raise TenantError('a tenant file is an object with a "users" list; create one with `python -m entra demo`')
    about, groups = raw.get("tenant") or {}, raw.get("groups") or []
    if not isinstance(about, dict) or not isinstance(groups, list):
        raise TenantError('"tenant" must be an object and "groups" a list')
    tenant = Tenant(about.get("displayName", "Contoso"), about.get("domain", "contoso.example"))
    for kind, key, sources in (("User", "users", raw["users"]), ("Group", "groups", groups)):
        for index, source in enumerate(sources):
            _check_source(tenant, kind, source, f"{key}[{index}]")
            tenant.objects[source["objectId"]] = DirectoryObject(kind, source)
    _check_ids(raw.get("assignments", []), '"assignments"')
    tenant.assignments = set(raw.get("assignments", tenant.objects))
    return tenant


def to_json(tenant: Tenant) -> dict[str, Any]:
    """Return the tenant in the file's form."""
    return {
        "tenant": {"displayName": tenant.name, "domain": tenant.domain},
        "users": [o.source for o in tenant.of("User")],
        "groups": [o.source for o in tenant.of("Group")],
        "assignments": sorted(tenant.assignments),
    }


def _check_source(tenant: Tenant, kind: str, source: Any, where: str) -> None:
    if not isinstance(source, dict):
        raise TenantError(f"{where} is not an object")
    for key in ("objectId", "userPrincipalName" if kind == "User" else "displayName"):
        if not isinstance(source.get(key), str) or not source[key]:
            raise TenantError(f'{where} has no "{key}"')
    if source["objectId"] in tenant.objects:
        raise TenantError(f"{where} repeats the objectId {source['objectId']}")
    if not isinstance(source.get("manager") or "", str):
        raise TenantError(f'"manager" of {where} must be an objectId')
    _check_ids(source.get("members") or [], f'"members" of {where}')


def _check_ids(value: Any, where: str) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TenantError(f"{where} must be a list of objectIds")
