"""Change a tenant as a day of work does; the same seed makes the same changes."""

import copy
import random
from collections.abc import Callable

from entra import demo
from entra.tenant import DirectoryObject, Tenant

Change = Callable[..., str]  # (tenant, rng, *chosen objects), returns a description
Candidates = Callable[[Tenant], list[DirectoryObject]]


def _active(tenant: Tenant) -> list[DirectoryObject]:
    return [p for p in tenant.of("User") if p.enabled and not p.deleted]


def _deleted(tenant: Tenant) -> list[DirectoryObject]:
    return [p for p in tenant.of("User") if p.deleted]


def _groups(tenant: Tenant) -> list[DirectoryObject]:
    return tenant.of("Group")


def _sample(found: list[DirectoryObject], rng: random.Random, count: int) -> list[DirectoryObject]:
    return rng.sample(found, min(count, len(found)))


def _join(tenant: Tenant, rng: random.Random) -> str:
    user = demo.generate(1, 0, seed=rng.getrandbits(32), domain=tenant.domain).of("User")[0]
    alias = f"{user.source['mailNickname']}.{rng.randrange(10**6)}"
    user.source.update(mailNickname=alias, userPrincipalName=f"{alias}@{tenant.domain}", accountEnabled=True)
    user.source.update(objectId=demo.random_uuid(rng), mail=f"{alias}@{tenant.domain}")
    if managers := _active(tenant):
        user.source["manager"] = rng.choice(managers).id
    tenant.objects[user.id] = user
    tenant.assignments.add(user.id)
    for group in _sample(_groups(tenant), rng, 1):
        group.source["members"] = [*group.members, user.id]
    return f"{user.name} joins"


def _leave(tenant: Tenant, rng: random.Random, user: DirectoryObject) -> str:
    user.source["softDeleted"] = True
    return f"{user.name} leaves"


def _disable(tenant: Tenant, rng: random.Random, user: DirectoryObject) -> str:
    user.source["accountEnabled"] = False
    return f"{user.name} is disabled"


def _rename(tenant: Tenant, rng: random.Random, user: DirectoryObject) -> str:
    old, given, family = user.name, user.source.get("givenName", "Sam"), f"Renamed-{rng.randrange(10**6)}"
    alias = str(user.source.get("mailNickname") or old.partition("@")[0])
    name = f"{alias.partition('.')[0]}.{family.lower()}@{tenant.domain}"
    user.source.update(surname=family, displayName=f"{given} {family}", userPrincipalName=name, mail=name)
    return f"{old} is renamed to {name}"


def _change_manager(tenant: Tenant, rng: random.Random, user: DirectoryObject, manager: DirectoryObject) -> str:
    user.source["manager"] = manager.id
    return f"{user.name} reports to {manager.name}"


def _change_department(tenant: Tenant, rng: random.Random, user: DirectoryObject) -> str:
    department = rng.choice(list(demo.DEPARTMENTS))
    user.source.update(department=department, jobTitle=rng.choice(demo.DEPARTMENTS[department]))
    return f"{user.name} moves to {department}"


def _change_members(tenant: Tenant, rng: random.Random, group: DirectoryObject) -> str:
    outside = sorted({user.id for user in _active(tenant)} - set(group.members))
    removed = set(rng.sample(group.members, min(3, len(group.members))))
    added = rng.sample(outside, min(3, len(outside)))
    group.source["members"] = [m for m in group.members if m not in removed] + added
    return f"{group.name}: {len(added)} members added, {len(removed)} removed"


def _create_group(tenant: Tenant, rng: random.Random) -> str:
    members = [user.id for user in _sample(_active(tenant), rng, 4)]
    name = f"Task Force {rng.randrange(10**6)}"
    source = {"objectId": demo.random_uuid(rng), "displayName": name, "description": "A new group", "members": members}
    group = DirectoryObject("Group", source)
    tenant.objects[group.id] = group
    tenant.assignments.add(group.id)
    return f"{name} is created"


def _rename_group(tenant: Tenant, rng: random.Random, group: DirectoryObject) -> str:
    old = group.name
    group.source["displayName"] = f"{old.partition(' (')[0]} ({rng.randrange(10**6)})"
    return f"{old} is renamed to {group.name}"


def _delete_group(tenant: Tenant, rng: random.Random, group: DirectoryObject) -> str:
    del tenant.objects[group.id]
    tenant.assignments.discard(group.id)
    return f"{group.name} is deleted"


def _restore(tenant: Tenant, rng: random.Random, user: DirectoryObject) -> str:
    user.source["softDeleted"] = False
    return f"{user.name} is restored"


def _purge(tenant: Tenant, rng: random.Random, user: DirectoryObject) -> str:
    del tenant.objects[user.id]
    tenant.assignments.discard(user.id)
    for group in _groups(tenant):
        group.source["members"] = [m for m in group.members if m != user.id]
    for other in tenant.of("User"):
        if other.source.get("manager") == user.id:
            other.source.pop("manager")
    return f"{user.name} is purged"


# (change, candidates, how many are chosen)
CHANGES: tuple[tuple[Change, Candidates, int], ...] = (
    (_join, _active, 0), (_join, _active, 0), (_leave, _active, 1), (_leave, _active, 1), (_disable, _active, 1),
    (_rename, _active, 1), (_change_manager, _active, 2), (_change_department, _active, 1),
    (_change_members, _groups, 1),
    (_create_group, _groups, 0), (_rename_group, _groups, 1), (_restore, _deleted, 1), (_purge, _deleted, 1),
    (_delete_group, _groups, 1),
)  # fmt: skip


def day(tenant: Tenant, seed: int, scale: int = 1) -> tuple[Tenant, list[str]]:
    """Return a changed copy of the tenant, and a description of each change."""
    changed, rng = copy.deepcopy(tenant), random.Random(f"day {seed}")  # noqa: S311 (not a secret)
    descriptions = []
    for change, candidates, count in CHANGES:
        for _ in range(scale):
            chosen = _sample(candidates(changed), rng, count)
            if len(chosen) == count:
                descriptions.append(change(changed, rng, *chosen))
            else:
                descriptions.append(
                    f"{change.__name__.strip('_').replace('_', ' ')}: skipped, the tenant has too few candidates"
                )
    return changed, descriptions
