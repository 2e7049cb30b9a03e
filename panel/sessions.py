"""The panel's sessions: how they begin and end, and which have been signed out."""

import json
import logging
import secrets
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from flask import session

from fileio.atomic import make_folder, open_to_read, replace_atomically
from fileio.locks import locked

SIGNED_IN = "signed_in"
MAX_LIFETIME = 12 * 3600  # seconds from signing in, even if the session is in use
_ID = "id"

log = logging.getLogger("tinyscim.panel")


class RevokedSessions:
    """The sessions that were signed out before they expired, shared by all workers.

    A session is a signed cookie, so a copy of it stays valid after signing out. A file beside the store therefore
    keeps the ids of signed-out sessions until they expire. Only signed-in users add ids, so the file stays small.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, float] = {}
        self._stamp: tuple[int, int] | None = None
        self._lock = Lock()

    def __contains__(self, id: object) -> bool:
        """Return whether a session was signed out."""
        with self._lock:
            self._refresh()
            return id in self._known

    def add(self, id: str, began: float) -> None:
        """Revoke a session. If the file cannot be written, only this worker knows; that is logged."""
        with self._lock:
            self._known[id] = began
            if self._path:
                try:
                    self._write(self._path)
                except OSError as error:
                    log.error("%s: a session was signed out in this worker only: %s", self._path, error.strerror)

    def _write(self, path: Path) -> None:
        make_folder(path.parent)
        with locked(path.with_name(path.name + ".lock")):
            self._refresh()
            oldest = time.time() - MAX_LIFETIME
            self._known = {id: began for id, began in self._known.items() if began > oldest}
            replace_atomically(path, [json.dumps(self._known).encode()])

    def _refresh(self) -> None:
        """Read the ids that other workers added; a damaged file is ignored."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            status = self._path.stat() if self._path else None
            stamp = (status.st_mtime_ns, status.st_ino) if status else None
            if self._path and stamp != self._stamp:
                self._stamp = stamp
                with open_to_read(self._path) as file:
                    found = json.load(file)
                self._known |= {str(id): float(began) for id, began in found.items()}


def begin() -> None:
    """Begin a session for the client of this request."""
    session.clear()
    session[SIGNED_IN] = time.time()
    session[_ID] = secrets.token_urlsafe(16)


def end(revoked: RevokedSessions) -> None:
    """End the session and revoke copies of its cookie."""
    if SIGNED_IN in session:
        revoked.add(session.get(_ID, ""), session[SIGNED_IN])
    session.clear()


def is_signed_in(revoked: RevokedSessions) -> bool:
    """Return whether the session is valid; clear it if it has expired."""
    began = session.get(SIGNED_IN)
    if began is None:
        return False
    if time.time() - began < MAX_LIFETIME and session.get(_ID) and session[_ID] not in revoked:
        return True
    session.clear()
    return False
