"""The directory that each target of the load benchmark serves, in the form that each of them reads."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from bench.people import group, membership, user, users
from storage.base import Document
from storage.snapshot import Meta, Row, dump, save

TEAMS = 20  # a group of 1,000 each, so that the members that a run adds make none of them much larger
TEAM_SIZE = 1_000


class Directory:
    """So many users and the teams, written once to files of a folder."""

    def __init__(self, size: int, folder: Path) -> None:
        self.size, self.folder = size, folder / str(size)
        self.snapshot, self.json = self.folder / "data.json", self.folder / "peers.json"

    def write(self) -> None:
        """Write what Tinyscim, the peers and wrk read, if that has not been done."""
        if self.folder.exists():
            return
        self.folder.mkdir()
        save(self.snapshot, chain(users(self.size), _teams(), _memberships()), Meta())
        (self.folder / "users.tsv").write_text("".join(_line(user(number)) for number in range(self.size)))
        (self.folder / "new.json").write_text(json.dumps(_new_user()))
        self.json.write_text(
            json.dumps({"User": [user(number) for number in range(self.size)], "Group": _full_teams()})
        )


def _line(document: Document) -> str:
    """Return a user's id and the filter by which Entra matches it."""
    return f"{document['id']}\t{quote('userName eq ' + json.dumps(document['userName']))}\n"


def _team(number: int) -> Document:
    return {**group(TEAM_SIZE), "id": f"team{number}", "displayName": f"Team {number}"}


def _teams() -> Iterator[Row]:
    return (Row("Group", number + 1, dump(_team(number)), 0) for number in range(TEAMS))


def _memberships() -> Iterator[Row]:
    ids = [user(number)["id"] for number in range(TEAM_SIZE)]
    pairs = ((f"team{number}", id) for number in range(TEAMS) for id in ids)
    return (Row("Membership", place, dump(membership(*pair)), 0) for place, pair in enumerate(pairs, 1))


def _full_teams() -> list[Document]:
    members = [{"value": user(number)["id"]} for number in range(TEAM_SIZE)]
    return [{**_team(number), "members": members} for number in range(TEAMS)]


def _new_user() -> Document:
    """Return a user to be created, with NUMBER wherever users differ."""
    names = {"userName": "newNUMBER@contoso.onmicrosoft.com", "externalId": "00000000-0000-4000-8000-NUMBER"}
    emails = [{"value": "newNUMBER@contoso.com", "type": "work", "primary": True}]
    return {**{key: value for key, value in user(0).items() if key not in ("id", "meta")}, **names, "emails": emails}
