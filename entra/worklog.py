"""Provisioning log entries in the shape of the portal's, and the summary of a cycle."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

from entra.answers import INCOMPATIBLE, MULTIPLE, SCIM, ExportError
from entra.client import Exchange
from entra.dialect import Change

ADVICE = {
    "InvalidAnchor": "The target was deleted behind Entra's back. Restart provisioning (--restart).",
    "InvalidCredentials": "Check the secret token.",
    "TooManyRequests": "Let the endpoint sustain 25 requests a second.",
    "Timeout": "Answer faster; the object is tried again in the next cycle.",
    "Unreachable": "Start the endpoint, or correct its URL; the object is tried again in the next cycle.",
    f"{SCIM}Conflict": "Let the matching filter find the resource that is in the way.",
    MULTIPLE: "Answer a filter with what it matches only.",
    INCOMPATIBLE: "Run `python -m entra validate` for the details.",
    "UnsupportedCharacters": "Change the matching attribute's value in the directory.",
}


# Ids, addresses and quoted values.
_PARTICULAR = re.compile(r"""[0-9a-f]{8}-?[0-9a-f-]{8,}|\S+@\S+|'[^']*'|"[^"]*\"""", re.I)


@dataclass(slots=True)
class Entry:
    """One line of the provisioning log: what became of one object in one pass."""

    kind: str
    source: str
    name: str
    cycle: str
    action: str = "other"
    status: str = "skipped"
    target: str | None = None
    steps: list[dict[str, str]] = field(default_factory=list)
    changes: list[tuple[str, Any, Any]] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    error: ExportError | None = None
    started: float = field(default_factory=time.monotonic)
    milliseconds: int = 0

    def step(self, kind: str, description: str, status: str = "success") -> None:
        """Note one of the steps Import, Scope, Match, Export."""
        self.steps.append({"name": f"Entry{kind}", "status": status, "description": description})

    def changed(self, changes: list[Change]) -> None:
        """Note modified properties."""
        for change in changes:
            secret = change.target.name.casefold() == "password"
            old, new = ("(hidden)", "(hidden)") if secret else (change.old, change.new)
            self.changes.append((change.target.text, old, new))

    def fail(self, error: ExportError) -> None:
        """Note why the object could not be provisioned."""
        self.status, self.error = "failure", error
        self.step("Export", str(error), "failure")

    def to_json(self) -> dict[str, Any]:
        """Give the entry under the names of Graph's provisioningObjectSummary, with its requests."""
        return {
            "id": str(uuid.uuid4()),
            "activityDateTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "cycleId": self.cycle,
            "provisioningAction": self.action,
            "durationInMilliseconds": self.milliseconds,
            "sourceIdentity": {"id": self.source, "displayName": self.name, "identityType": self.kind},
            "targetIdentity": {"id": self.target, "displayName": self.name, "identityType": self.kind},
            "provisioningStatusInfo": {"status": self.status, "errorInformation": self._error()},
            "provisioningSteps": self.steps,
            "modifiedProperties": [
                {"displayName": name, "oldValue": old, "newValue": new} for name, old, new in self.changes
            ],
            "requests": [exchange.to_json() for exchange in self.exchanges],
        }

    def _error(self) -> dict[str, str] | None:
        if self.error is None:
            return None
        advice = ADVICE.get(self.error.code, "")
        return {"errorCode": self.error.code, "reason": self.error.detail, "recommendedAction": advice}


class Journal:
    """Collects the entries of a cycle: counts, errors by cause, a JSON lines file, a listener."""

    def __init__(self, file: IO[str] | None = None, listener: Callable[[Entry], None] | None = None) -> None:
        self.actions: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.requests = 0
        self.planned = 0
        self.listener = listener
        self._file = file
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Take in a finished entry."""
        entry.milliseconds = round((time.monotonic() - entry.started) * 1000)
        with self._lock:
            self.requests += len(entry.exchanges)
            self.actions["failure" if entry.error else entry.action if entry.status == "success" else "skipped"] += 1
            if entry.error is not None:
                self.errors[entry.error.code, cause(entry.error.detail)] += 1
            if self._file is not None:
                self._file.write(json.dumps(entry.to_json(), ensure_ascii=False) + "\n")
        if self.listener is not None:
            self.listener(entry)

    @property
    def failures(self) -> int:
        """How many entries failed."""
        return sum(self.errors.values())


def cause(detail: str) -> str:
    """Take out of a detail what differs from object to object, to group errors by it."""
    return _PARTICULAR.sub("…", detail)[:200]
