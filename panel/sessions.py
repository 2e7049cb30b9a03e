"""The panel's sessions: how they begin and end.

A session is a signed cookie, so a copy of it stays valid after signing out. The ids of signed-out sessions are
therefore kept until they expire. Only signed-in users add ids, so there are few.
"""

import secrets
import time

from flask import session

from runtime.shared_ids import SharedIds

SIGNED_IN = "signed_in"
MAX_LIFETIME = 12 * 3600  # seconds from signing in, even if the session is in use
_ID = "id"


def begin() -> None:
    """Begin a session for the client of this request."""
    session.clear()
    session[SIGNED_IN] = time.time()
    session[_ID] = secrets.token_urlsafe(16)


def end(revoked: SharedIds) -> None:
    """End the session and revoke copies of its cookie."""
    if SIGNED_IN in session:
        revoked.add(session.get(_ID, ""), session[SIGNED_IN])
    session.clear()


def is_signed_in(revoked: SharedIds) -> bool:
    """Return whether the session is valid; clear it if it has expired."""
    began = session.get(SIGNED_IN)
    if began is None:
        return False
    if time.time() - began < MAX_LIFETIME and session.get(_ID) and session[_ID] not in revoked:
        return True
    session.clear()
    return False
