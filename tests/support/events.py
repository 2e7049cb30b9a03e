"""Reads the event feed of an application, in the tests' process."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import orjson

from app import create_app
from config.tokens import new_token
from storage.memory import MemoryStore
from tests.support.scim_client import Answer, Scim, in_process


class Reader:
    """An application that follows the directory, and Entra, which changes it."""

    def __init__(self, *, store: Any = None, scope: str = "events", **tables: Any) -> None:
        (writing, entra), (self.token, own) = new_token("entra"), new_token("crm", scope=scope)
        tables = {"tokens": [entra, own], "events": {"enabled": True}, **tables}
        self.app = create_app(tables, store=store or MemoryStore())
        self.send = in_process(self.app)
        self.entra = Scim(self.send, writing, app=self.app)
        self.cursor = ""

    def get(self, path: str = "/api/events", headers: Any = None, **parameters: Any) -> Answer:
        sent = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
        return self.send("GET", f"{path}?{urlencode(parameters)}", sent, None)

    def new(self, **parameters: Any) -> list[dict[str, Any]]:
        """The events since the last call."""
        answer = self.get(after=self.cursor, limit=1000, **parameters)
        assert answer.status == 200, answer.text
        self.cursor = answer.body["cursor"]
        events: list[dict[str, Any]] = answer.body["events"]
        return events

    def types(self) -> list[str]:
        return [event["type"] for event in self.new()]

    def snapshot(self) -> Iterator[dict[str, Any]]:
        answer = self.get("/api/snapshot")
        assert answer.status == 200, answer.text
        return map(orjson.loads, answer.text.splitlines())


def rebuilt(events: Any) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """The resources by id, and the memberships, that events lead to.

    The version of a group also changes with its members, which is no event of the group.
    """
    resources: dict[str, Any] = {}
    members: set[tuple[str, str]] = set()
    for event in events:
        verb, resource = event["type"].split(".")[1], event["resource"]["id"]
        if verb == "member_added":
            members.add((resource, event["data"]["value"]))
        elif verb == "member_removed":
            members.remove((resource, event["data"]["value"]))
        elif verb == "deleted":
            del resources[resource]
            members = {pair for pair in members if pair[0] != resource}
        else:
            assert (verb == "created") == (resource not in resources)
            resources[resource] = event["data"]
            if event["resource"]["type"] == "Group":
                kept = {name: event["data"]["meta"][name] for name in ("resourceType", "created", "location")}
                resources[resource] = {**event["data"], "meta": kept}
    return resources, members
