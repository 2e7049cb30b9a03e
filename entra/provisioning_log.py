"""The provisioning log: entries in the form of the portal's, and the counts of a cycle."""

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

from entra.dialect import Change
from entra.exchange import Exchange
from entra.responses import INCOMPATIBLE, MULTIPLE, SCIM, ExportError

ADVICE = {
    "InvalidAnchor": "The target was deleted outside of Entra. Restart provisioning (--restart).",
    "InvalidCredentials": "Check the secret token.",
    "TooManyRequests": "Let the endpoint sustain 25 requests per second.",
    "Timeout": "Make the endpoint respond faster. The next cycle retries the object.",
    "Unreachable": "Start the endpoint or correct its URL. The next cycle retries the object.",
    f"{SCIM}Conflict": "Make sure that the matching filter finds the conflicting resource.",
    MULTIPLE: "Return only the resources that match the filter.",
    INCOMPATIBLE: "Run `python -m entra validate` for details.",
    "UnsupportedCharacters": "Change the value of the matching attribute in the directory.",
}

# Ids, addresses and quoted values: what differs between objects with the same error.
_VARIABLE = re.compile(r"""[0-9a-f]{8}-?[0-9a-f-]{8,}|\S+@\S+|'[^']*'|"[^"]*\"""", re.I)


@dataclass(slots=True)
class Entry:
    """One log entry: the result of processing one object."""

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

    def add_step(self, kind: str, description: str, status: str = "success") -> None:
        """Add one of the steps Import, Scope, Match, Export."""
        self.steps.append({"name": f"Entry{kind}", "status": status, "description": description})

    def add_changes(self, changes: list[Change]) -> None:
        """Add modified properties; passwords are hidden."""
        for change in changes:
            secret = change.target.name.casefold() == "password"
            old, new = ("(hidden)", "(hidden)") if secret else (change.old, change.new)
            self.changes.append((change.target.text, old, new))

    def succeed(self, action: str, description: str) -> None:
        """Record a successful export."""
        self.action, self.status = action, "success"
        self.add_step("Export", description)

    def fail(self, error: ExportError) -> None:
        """Record why the object could not be provisioned."""
        self.status, self.error = "failure", error
        self.add_step("Export", str(error), "failure")

    def to_json(self) -> dict[str, Any]:
        """Return the entry with the names of Graph's provisioningObjectSummary, and its requests."""
        error = self.error and {
            "errorCode": self.error.code,
            "reason": self.error.detail,
            "recommendedAction": ADVICE.get(self.error.code, ""),
        }
        return {
            "id": str(uuid.uuid4()),
            "activityDateTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "cycleId": self.cycle,
            "provisioningAction": self.action,
            "durationInMilliseconds": self.milliseconds,
            "sourceIdentity": {"id": self.source, "displayName": self.name, "identityType": self.kind},
            "targetIdentity": {"id": self.target, "displayName": self.name, "identityType": self.kind},
            "provisioningStatusInfo": {"status": self.status, "errorInformation": error},
            "provisioningSteps": self.steps,
            "modifiedProperties": [
                {"displayName": name, "oldValue": old, "newValue": new} for name, old, new in self.changes
            ],
            "requests": [exchange.to_json() for exchange in self.exchanges],
        }


class ProvisioningLog:
    """Collects a cycle's entries: counts, errors by cause, a JSON Lines file, a listener."""

    def __init__(self, file: IO[str] | None = None, listener: Callable[[Entry], None] | None = None) -> None:
        self.actions: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.requests = 0
        self.planned = 0
        self.listener = listener
        self._file = file
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Add a finished entry."""
        entry.milliseconds = round((time.monotonic() - entry.started) * 1000)
        with self._lock:
            self.requests += len(entry.exchanges)
            self.actions["failure" if entry.error else entry.action if entry.status == "success" else "skipped"] += 1
            if entry.error is not None:
                self.errors[entry.error.code, _VARIABLE.sub("…", entry.error.detail)[:200]] += 1
            if self._file is not None:
                self._file.write(json.dumps(entry.to_json(), ensure_ascii=False) + "\n")
        if self.listener is not None:
            self.listener(entry)

    @property
    def failures(self) -> int:
        """The number of failed entries."""
        return sum(self.errors.values())
