"""Counts of requests and changes by hour, client and provisioning cycle, which outlive the entries of the log."""

import time
from collections import Counter
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict, dataclass, field
from datetime import UTC
from itertools import islice
from typing import Any, NamedTuple

from config import Token
from scim.directory.events import Event
from scim.directory.resources import WriteResult

HOUR = 3_600
CHANGES = ("created", "updated", "disabled", "enabled", "deleted")
SPANS = {"24h": (24, 1), "7d": (28, 6), "30d": (30, 24)}  # the number of buckets, and the hours of each
CYCLE_GAP = 300.0  # seconds without a request that end a cycle
MAX_CYCLE = 6 * HOUR
_KEPT = 31 * 24  # hours
_MAX_CYCLES = 500
_MAX_ROWS = 20_000
_MAX_NAMES = 200
# Programs that people use are never taken for Entra. Entra may send no User-Agent at all.
_TOOLS = ("curl", "mozilla", "postman", "insomnia", "wget", "httpie", "powershell")
# Scripts are taken for Entra only if they send its probe themselves, as an emulator or a test does.
_LIBRARIES = ("python", "werkzeug", "go-http", "java", "node", "axios")


class Caller(NamedTuple):
    """The token of a request, and `via`: "tool" or a library by its User-Agent; "probe" or "stranger" if rejected.

    Changes that the service makes itself have no token; their `via` is their cause.
    """

    token: str
    via: str = ""


@dataclass(slots=True)
class Cycle:
    """Requests of one client without a long pause. The names of the counts are those of `Activity`."""

    client: Caller
    start: float
    end: float
    counts: Counter[str] = field(default_factory=Counter)

    def extend(self, start: float, end: float) -> bool:
        """Extend the cycle to a span that continues or overlaps it, and return whether it does."""
        if start - self.end >= CYCLE_GAP or self.start - end >= CYCLE_GAP:
            return False
        start, end = min(self.start, start), max(self.end, end)
        if end - start > MAX_CYCLE:
            return False
        self.start, self.end = start, end
        return True

    def includes(self, moment: float) -> bool:
        """Return whether a moment is in the cycle; a request's entry has the time of its end."""
        return self.start - 1 <= moment <= self.end + 1

    @property
    def has_entries(self) -> bool:
        """Whether the log had entries of this cycle."""
        return any(self.counts[name] for name in (*CHANGES, "failed"))


@dataclass(slots=True)
class Rejection:
    """Requests with one rejected token since Entra's last accepted request; `reason` as in `scim.errors`."""

    reason: str
    token: str
    via: str
    first: float
    last: float
    count: int = 1


class Bucket(NamedTuple):
    """The counts from `start` until before `end`."""

    start: float
    end: float
    counts: Counter[str]


@dataclass(slots=True)
class Activity:
    """All counts. Their names are "requests", "failed", "rejected" (401), and `CHANGES`.

    `probed` has the clients of which Entra's probe came, and when it came last.
    """

    counts: Counter[tuple[int, Caller, str]] = field(default_factory=Counter)
    cycles: list[Cycle] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    probed: dict[Caller, float] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Count an event."""
        client = _client(event)
        names = tuple(_names(event))
        hour = int(event.time // HOUR)
        for name in names:
            self.counts[hour, client, name] += 1
        if event.token and not event.rejection:
            cycle = self._extended_cycle(client, event.time, event.time)
            for name in names:
                cycle.counts[name] += 1
            if event.is_probe and client.via != "tool":
                self.probed[client] = event.time
        elif event.rejection and not event.token:
            self._add_rejection(Rejection(*event.rejection, client.via, event.time, event.time))

    def merge(self, other: "Activity") -> None:
        """Add the counts of another worker."""
        self.counts.update(other.counts)
        for client, moment in other.probed.items():
            self.probed[client] = max(moment, self.probed.get(client, 0.0))
        for cycle in other.cycles:
            self._extended_cycle(cycle.client, cycle.start, cycle.end).counts.update(cycle.counts)
        for rejection in other.rejections:
            self._add_rejection(copy(rejection))
        self._prune()

    def is_entra(self, client: Caller) -> bool:
        """Return whether a client is Entra: it has sent Entra's probe, or a token with which the probe once came."""
        if client.via == "stranger":
            return client.token in self.probed_tokens
        return client.via == "probe" or client in self.probed

    @property
    def probed_tokens(self) -> set[str]:
        """The names of the tokens with which Entra's probe came."""
        return {client.token for client in self.probed}

    @property
    def entra_cycles(self) -> list[Cycle]:
        """Entra's cycles, oldest first; old ones are kept only if the log had entries of them."""
        return [cycle for cycle in self.cycles if self.is_entra(cycle.client)]

    @property
    def last_request(self) -> float:
        """The time of Entra's last accepted request, or 0."""
        return max((cycle.end for cycle in self.entra_cycles), default=0.0)

    def last_use(self, token: Token) -> float:
        """Return when a token was last used, or 0; an earlier token of the same name does not count."""
        moment = max((cycle.end for cycle in self.cycles if cycle.client.token == token.name), default=0.0)
        created = token.created
        if created and created.tzinfo is None:
            created = created.replace(tzinfo=UTC)
        return 0.0 if created and moment < created.timestamp() else moment

    def entra_rejections(self) -> list[Rejection]:
        """Return the rejected requests that are Entra's: its probe, and tokens with which its probe once came."""
        return [one for one in self.rejections if self.is_entra(Caller(one.token, one.via))]

    def cycle_at(self, token: str, moment: float) -> Cycle | None:
        """Return the cycle in which a token was used at a moment, preferring Entra's to a tool's."""
        found = [one for one in self.cycles if one.client.token == token and one.includes(moment)]
        return min(found, key=lambda one: one.client.via, default=None)

    def buckets(self, span: str, now: float | None = None) -> list[Bucket]:
        """Return the counts of all clients in one of `SPANS`, oldest first; the last bucket is not over yet."""
        number, hours = SPANS[span]
        end = (int((time.time() if now is None else now) // HOUR) // hours + 1) * hours
        found: dict[int, Counter[str]] = {start: Counter() for start in range(end - number * hours, end, hours)}
        for (hour, _, name), count in self.counts.items():
            bucket = found.get(hour - hour % hours)
            if bucket is not None:
                bucket[name] += count
        return [Bucket(start * HOUR, (start + hours) * HOUR, counts) for start, counts in found.items()]

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "counts": [[hour, *client, name, count] for (hour, client, name), count in self.counts.items()],
            "cycles": [[*cycle.client, cycle.start, cycle.end, cycle.counts] for cycle in self.cycles],
            "rejections": [asdict(rejection) for rejection in self.rejections],
            "probed": [[*client, moment] for client, moment in self.probed.items()],
        }

    def _extended_cycle(self, client: Caller, start: float, end: float) -> Cycle:
        """Return the cycle of a client that includes a span, and extend it or begin a new one."""
        for cycle in reversed(self.cycles):
            if cycle.client == client and cycle.extend(start, end):
                return cycle
        self.cycles.append(Cycle(client, start, end))
        return self.cycles[-1]

    def _add_rejection(self, new: Rejection) -> None:
        for known in self.rejections:
            if (known.reason, known.token, known.via) == (new.reason, new.token, new.via):
                known.first, known.last = min(known.first, new.first), max(known.last, new.last)
                known.count += new.count
                return
        self.rejections.append(new)

    def _prune(self) -> None:
        """Keep the size within its bounds."""
        oldest = max((hour for hour, _, _ in self.counts), default=0) - _KEPT
        if any(hour < oldest for hour, _, _ in self.counts) or len(self.counts) > _MAX_ROWS:
            newest = sorted(self.counts.items(), reverse=True)[:_MAX_ROWS]
            self.counts = Counter({key: count for key, count in newest if key[0] >= oldest})
        self.cycles.sort(key=lambda cycle: cycle.end)
        latest = {cycle.client: cycle for cycle in self.cycles}
        kept = [cycle for cycle in self.cycles if cycle.has_entries or cycle is latest[cycle.client]]
        self.cycles = kept[-_MAX_CYCLES:]
        self.probed = dict(sorted(self.probed.items(), key=lambda item: item[1])[-_MAX_NAMES:])
        accepted = self.last_request
        self.rejections = [one for one in self.rejections if one.last > accepted][-_MAX_NAMES:]


def read_activity(body: Any) -> Activity:
    """Return the counts from their JSON. Raises ValueError, TypeError, KeyError, AttributeError for any other."""
    return Activity(
        Counter(
            {
                (int(hour), Caller(str(token), str(via)), str(name)): int(count)
                for hour, token, via, name, count in islice(body["counts"], _MAX_ROWS)
            }
        ),
        [
            Cycle(
                Caller(str(token), str(via)),
                float(start),
                float(end),
                Counter({str(name): int(count) for name, count in counts.items()}),
            )
            for token, via, start, end, counts in islice(body["cycles"], _MAX_CYCLES)
        ],
        [Rejection(**one) for one in body["rejections"]],
        {Caller(str(token), str(via)): float(moment) for token, via, moment in islice(body["probed"], _MAX_NAMES)},
    )


def _client(event: Event) -> Caller:
    agent = event.user_agent.lower()
    is_tool = agent.startswith(_TOOLS)
    if event.token:
        library = next((name for name in _LIBRARIES if agent.startswith(name)), "")
        return Caller(event.token, "tool" if is_tool else library)
    if event.cause:
        return Caller("", event.cause)
    return Caller("", "probe" if event.is_probe and not is_tool else "stranger")


def _names(event: Event) -> Iterator[str]:
    if event.token and not event.is_operation:
        yield "requests"
    if event.rejection:
        yield "rejected"
        if event.rejection[1] and not event.token:  # a token that was valid once, not a guess
            yield "failed"
    elif event.status >= 400:
        yield "failed"
    elif event.outcome and event.outcome.changed:
        yield _change(event.outcome)


def _change(outcome: WriteResult) -> str:
    """Return the one of `CHANGES` that a write is counted as."""
    before, after = outcome.before, outcome.after
    if before is None:
        return "created"
    if after is None:
        return "deleted"
    was, now = (document.get("active") is not False for document in (before, after))
    return "updated" if was == now else "enabled" if now else "disabled"
