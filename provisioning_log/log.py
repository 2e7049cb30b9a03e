"""The provisioning log: observes events and answers queries."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from config.tokens import is_test_name
from provisioning_log.activity import Activity
from provisioning_log.archive import Archive
from provisioning_log.entries import Entry, Subject
from provisioning_log.failures import Cause, by_cause
from provisioning_log.from_event import make_entry, subject_of
from provisioning_log.grouping import GroupedPage, Row, group
from provisioning_log.redaction import Secrets
from provisioning_log.search import Criteria, Totals, matching, newest, totals
from provisioning_log.unknown_attributes import Unknown, unknown_attributes
from provisioning_log.writer import LogWriter
from scim.directory.events import Event
from scim.directory.service import Service
from scim.errors import ScimError


class ProvisioningLog:
    """The changes and failures of all clients. Entries of other workers appear with a short delay."""

    def __init__(self, files: Archive, service: Service) -> None:
        self.files, self._service = files, service
        self._secrets = Secrets(service.registry, files.max_line)
        self._writer = LogWriter(files, self._line)
        self._warned: tuple[Any, list[Unknown]] | None = None

    def observe(self, event: Event) -> None:
        """Queue an event to be written, if it changed something or failed, or if reads are recorded."""
        if not is_test_name(event.token) and (not event.is_read or self._records(event)):
            self._writer.enqueue(event)

    def flush(self) -> None:
        """Write the queued entries of this process."""
        self._writer.flush()

    def search(self, criteria: Criteria, limit: int = 50) -> list[Entry]:
        """Return the newest matching entries, newest first."""
        return list(islice(newest(self._newest(), criteria), limit))

    def rows(self, criteria: Criteria, before: str, activity: Activity) -> GroupedPage:
        """Return a page of entries in groups, newest first; `before` comes from the previous page."""
        return group(newest(self._newest(), criteria, before), activity)

    def totals(self, criteria: Criteria) -> Totals:
        """Count the entries that match apart from their result."""
        return totals(self._newest(), criteria)

    def entries(self, criteria: Criteria) -> Iterator[Entry]:
        """Yield all matching entries, oldest first."""
        self.flush()
        return matching(self.files.oldest_first(), criteria)

    def find(self, id: str) -> Entry | None:
        """Return the entry with this id, or None."""
        needle = f'"id":"{id}"'.encode()
        lines = (line for line in self._newest() if needle in line)
        return next((entry for entry in matching(lines, Criteria()) if entry.id == id), None)

    def history(self, id: str, activity: Activity) -> list[Row]:
        """Return the changes and failures of a user or group, newest first, including changes of membership."""
        found = newest(self._newest(), Criteria(id=id))
        page = group((entry for entry in found if entry.result != "read"), activity)
        return list(chain.from_iterable(section.rows for section in page.sections))

    def warnings(self) -> list[Unknown]:
        """Return the unknown attributes that clients sent; the files are read only if they have changed."""
        self.flush()
        state = (self.files.state(), self._service.live_config.current)
        if self._warned is None or self._warned[0] != state:
            self._warned = (state, unknown_attributes(self.files.newest_first(), self._service))
        return self._warned[1]

    def failures(self, since: str, activity: Activity) -> list[Cause]:
        """Return the failures since a time that are not solved by their cause, the most frequent first."""
        return by_cause(self._newest, since, activity)

    def _records(self, event: Event) -> bool:
        """Return whether a read is to be recorded."""
        is_query = event.method == "GET" or event.path.endswith("/.search")
        return is_query and bool(event.token) and self._service.live_config.cached.log.records_reads

    def _newest(self) -> Iterator[bytes]:
        self.flush()
        return self.files.newest_first()

    def _line(self, event: Event, id: str) -> str | None:
        entry = make_entry(event, id, self._service.registry)
        if entry and not event.outcome and entry.who.id and entry.who.id == entry.who.name:
            entry = entry._replace(who=self._stored_subject(entry))
        return self._secrets.clean(entry) if entry else None

    def _stored_subject(self, entry: Entry) -> Subject:
        """Return the subject of a failure or a read with its stored names: the request has only the id."""
        try:
            type = self._service.registry.types[entry.type]
            return subject_of(self._service.resources("").get(type, entry.who.id).document)
        except ScimError:
            return entry.who
