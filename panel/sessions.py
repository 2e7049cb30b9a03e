"""Sessions of the panel: when they began, that they end, and which have been signed out."""

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
LONGEST = 12 * 3600  # seconds from signing in, however busy the session is
_ID = "id"

log = logging.getLogger("tinyscim.panel")


class RevokedSessions:
    """The sessions that were signed out before their time, as all workers know them.

    A session is a signed cookie, and whoever has a copy of it could go on. So the ids of those signed out are kept,
    in a file beside the store, until they would have ended anyway. Changing the secret instead would sign out
    everybody else who uses the panel. Only who knows the password can add an id, so the file stays small.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, float] = {}
        self._stamp: tuple[int, int] | None = None
        self._lock = Lock()

    def __contains__(self, id: object) -> bool:
        """Tell whether a session was signed out."""
        with self._lock:
            self._refresh()
            return id in self._known

    def add(self, id: str, began: float) -> None:
        """Remember a session; one that cannot be written is over in this worker at least, and the log says so."""
        with self._lock:
            self._known[id] = began
            if self._path:
                try:
                    self._write(self._path)
                except OSError as error:
                    log.error("%s: a session was signed out in one worker alone: %s", self._path, error.strerror)

    def _write(self, path: Path) -> None:
        make_folder(path.parent)
        with locked(path.with_name(path.name + ".lock")):
            self._refresh()
            oldest = time.time() - LONGEST
            self._known = {id: began for id, began in self._known.items() if began > oldest}
            replace_atomically(path, [json.dumps(self._known).encode()])

    def _refresh(self) -> None:
        """Take over what other workers wrote; a file that is damaged adds nothing."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            status = self._path.stat() if self._path else None
            stamp = (status.st_mtime_ns, status.st_ino) if status else None
            if self._path and stamp != self._stamp:
                self._stamp = stamp
                with open_to_read(self._path) as file:
                    found = json.load(file)
                self._known |= {str(id): float(began) for id, began in found.items()}


def begin() -> None:
    """Begin a session for whoever asked."""
    session.clear()
    session[SIGNED_IN] = time.time()
    session[_ID] = secrets.token_urlsafe(16)


def end(ended: RevokedSessions) -> None:
    """End the session, for those too who have a copy of it."""
    if SIGNED_IN in session:
        ended.add(session.get(_ID, ""), session[SIGNED_IN])
    session.clear()


def is_signed_in(ended: RevokedSessions) -> bool:
    """Tell whether the session goes on; one that is over is emptied."""
    began = session.get(SIGNED_IN)
    if began is None:
        return False
    if time.time() - began < LONGEST and session.get(_ID) and session[_ID] not in ended:
        return True
    session.clear()
    return False
