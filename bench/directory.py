"""The directory that the targets of the load benchmark serve, in the format of each."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from bench.people import group, membership, user, user_id, users
from storage.base import Document
from storage.engine.encoding import dump
from storage.engine.snapshot import Meta, Row, save

TEAM = 1_000  # members of each group; each user is in one at every size, so that a response costs the same


class Directory:
    """A number of users and their teams, written once to files in a folder."""

    def __init__(self, size: int, folder: Path) -> None:
        self.size, self.folder = size, folder / str(size)
        self.snapshot, self.json = self.folder / "data.json", self.folder / "peers.json"

    def write(self) -> None:
        """Write the files for Tinyscim, the peers and wrk, unless they exist."""
        if self.folder.exists():
            return
        self.folder.mkdir()
        save(self.snapshot, chain(users(self.size), _teams(self.size), _memberships(self.size)), Meta())
        (self.folder / "new.json").write_text(json.dumps(_new_user()))
        every = [user(number) for number in range(self.size)]
        (self.folder / "users.tsv").write_text("".join(map(_line, every)))
        self.json.write_text(json.dumps({"User": every, "Group": [*map(_full_team, range(self.size // TEAM))]}))


def _line(document: Document) -> str:
    """Return a user's id and the filter that Entra matches it by."""
    return f"{document['id']}\t{quote('userName eq ' + json.dumps(document['userName']))}\n"


def _team(number: int) -> Document:
    return {**group(TEAM), "id": f"team{number}", "displayName": f"Team {number}"}


def _teams(size: int) -> Iterator[Row]:
    return (Row("Group", number + 1, dump(_team(number)), 0) for number in range(size // TEAM))


def _memberships(size: int) -> Iterator[Row]:
    pairs = ((f"team{number // TEAM}", user_id(number)) for number in range(size))
    return (Row("Membership", place, dump(membership(*pair)), 0) for place, pair in enumerate(pairs, 1))


def _full_team(number: int) -> Document:
    members = [{"value": user_id(one)} for one in range(number * TEAM, number * TEAM + TEAM)]
    return {**_team(number), "members": members}


def _new_user() -> Document:
    """Return a user to create, with NUMBER wherever users differ."""
    names = {"userName": "newNUMBER@contoso.onmicrosoft.com", "externalId": "00000000-0000-4000-8000-NUMBER"}
    emails = [{"value": "newNUMBER@contoso.com", "type": "work", "primary": True}]
    return {**{key: value for key, value in user(0).items() if key not in ("id", "meta")}, **names, "emails": emails}
