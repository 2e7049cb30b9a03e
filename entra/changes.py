"""`python -m entra day`: a day in the life of a tenant, the same for the same seed."""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Callable

from entra import people
from entra.tenant import Object, Source, Tenant

Change = Callable[[Tenant, random.Random], str]


def joiner(tenant: Tenant, rng: random.Random) -> str:
    """Hire somebody, into a group."""
    fresh = people.demo(1, 0, seed=rng.getrandbits(32), domain=tenant.domain).of("User")[0]
    alias = f"{fresh.source['mailNickname']}.{rng.randrange(10**6)}"
    fresh.source.update(mailNickname=alias, userPrincipalName=f"{alias}@{tenant.domain}", accountEnabled=True)
    fresh.source.update(objectId=_uuid(rng), mail=f"{alias}@{tenant.domain}")
    bosses = _active(tenant)
    if bosses:
        fresh.source["manager"] = rng.choice(bosses).id
    tenant.objects[fresh.id] = fresh
    tenant.assignments.add(fresh.id)
    for group in _groups(tenant, rng, 1):
        group.source["members"] = [*group.members, fresh.id]
    return f"{fresh.name} joins"


def leaver(tenant: Tenant, rng: random.Random) -> str:
    """Delete somebody: into the recycle bin first."""
    for person in _people(tenant, rng, 1):
        person.source["softDeleted"] = True
        return f"{person.name} leaves"
    return "nobody is left to leave"


def disable(tenant: Tenant, rng: random.Random) -> str:
    """Disable an account."""
    for person in _people(tenant, rng, 1):
        person.source["accountEnabled"] = False
        return f"{person.name} is disabled"
    return "nobody to disable"


def rename(tenant: Tenant, rng: random.Random) -> str:
    """Change a surname, and with it the user principal name."""
    for person in _people(tenant, rng, 1):
        given, family = person.source.get("givenName", "Sam"), f"Renamed-{rng.randrange(10**6)}"
        alias = str(person.source.get("mailNickname") or person.name.partition("@")[0])
        name = f"{alias.partition('.')[0]}.{family.lower()}@{tenant.domain}"
        person.source.update(surname=family, displayName=f"{given} {family}", userPrincipalName=name, mail=name)
        return f"{given} is called {family} now"
    return "nobody to rename"


def new_manager(tenant: Tenant, rng: random.Random) -> str:
    """Give somebody another manager."""
    chosen = _people(tenant, rng, 2)
    if len(chosen) < 2:
        return "nobody to report to"
    person, boss = chosen
    person.source["manager"] = boss.id
    return f"{person.name} reports to {boss.name}"


def move(tenant: Tenant, rng: random.Random) -> str:
    """Give somebody another job in another department."""
    for person in _people(tenant, rng, 1):
        department = rng.choice(list(people.DEPARTMENTS))
        person.source.update(department=department, jobTitle=rng.choice(people.DEPARTMENTS[department]))
        return f"{person.name} moves to {department}"
    return "nobody to move"


def group_members(tenant: Tenant, rng: random.Random) -> str:
    """Change who is in a group."""
    for group in _groups(tenant, rng, 1):
        everybody = {person.id for person in _active(tenant)}
        leaving = set(rng.sample(group.members, min(3, len(group.members))))
        joining = rng.sample(sorted(everybody - set(group.members)), min(3, len(everybody - set(group.members))))
        group.source["members"] = [m for m in group.members if m not in leaving] + joining
        return f"{group.name}: {len(joining)} join, {len(leaving)} leave"
    return "no group to change"


def new_group(tenant: Tenant, rng: random.Random) -> str:
    """Make a group."""
    members = [p.id for p in _people(tenant, rng, 4)]
    name = f"Task Force {rng.randrange(10**6)}"
    source: Source = {"displayName": name, "description": "A new group", "members": members}
    group = Object("Group", {"objectId": _uuid(rng), **source})
    tenant.objects[group.id] = group
    tenant.assignments.add(group.id)
    return f"{name} is made"


def rename_group(tenant: Tenant, rng: random.Random) -> str:
    """Rename a group."""
    for group in _groups(tenant, rng, 1):
        group.source["displayName"] = f"{group.name.partition(' (')[0]} ({rng.randrange(10**6)})"
        return f"{group.name} has a new name"
    return "no group to rename"


def delete_group(tenant: Tenant, rng: random.Random) -> str:
    """Delete a group."""
    for group in _groups(tenant, rng, 1):
        del tenant.objects[group.id]
        tenant.assignments.discard(group.id)
        return f"{group.name} is deleted"
    return "no group to delete"


def restore(tenant: Tenant, rng: random.Random) -> str:
    """Bring somebody back from the recycle bin."""
    for person in _deleted(tenant, rng):
        person.source["softDeleted"] = False
        return f"{person.name} is restored"
    return "nobody to restore"


def purge(tenant: Tenant, rng: random.Random) -> str:
    """Empty the recycle bin of one person."""
    for person in _deleted(tenant, rng):
        del tenant.objects[person.id]
        tenant.assignments.discard(person.id)
        for group in tenant.of("Group"):
            group.source["members"] = [m for m in group.members if m != person.id]
        for other in tenant.of("User"):
            if other.source.get("manager") == person.id:
                other.source.pop("manager")
        return f"{person.name} is purged"
    return "nobody to purge"


CHANGES: tuple[Change, ...] = (
    joiner, joiner, leaver, leaver, disable, rename, new_manager, move, group_members, new_group,
    rename_group, restore, purge, delete_group,
)  # fmt: skip


def day(tenant: Tenant, seed: int, scale: int = 1) -> tuple[Tenant, list[str]]:
    """Give the tenant as it stands a day later, and what happened; the tenant given stays as it is."""
    changed, rng = copy.deepcopy(tenant), random.Random(f"day {seed}")  # noqa: S311 (not a secret)
    return changed, [change(changed, rng) for change in CHANGES for _ in range(scale)]


def _active(tenant: Tenant) -> list[Object]:
    return [p for p in tenant.of("User") if p.enabled and not p.deleted]


def _deleted(tenant: Tenant, rng: random.Random) -> list[Object]:
    return _some([p for p in tenant.of("User") if p.deleted], rng, 1)


def _people(tenant: Tenant, rng: random.Random, count: int) -> list[Object]:
    return _some(_active(tenant), rng, count)


def _groups(tenant: Tenant, rng: random.Random, count: int) -> list[Object]:
    return _some(tenant.of("Group"), rng, count)


def _some(found: list[Object], rng: random.Random, count: int) -> list[Object]:
    # A small tenant may have fewer, or none.
    return rng.sample(found, min(count, len(found)))


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
