"""Helpers for all pages: forms, times and error pages."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from config.edit import Refused
from scim.errors import ScimError
from scim.web.request import service
from storage.base import Unavailable

log = logging.getLogger("tinyscim.panel")


def is_form_submission() -> bool:
    """Return whether the request submits a form; any other method, including HEAD, shows it."""
    return request.method == "POST"


def form_field(name: str) -> str:
    """Return the value of a form field, or an empty string."""
    return request.form.get(name, "")


def refuse(reason: str, status: int = 400) -> NoReturn:
    """Respond with an error page that gives the reason."""
    abort(status, description=reason)


def config_path() -> Path:
    """Return the path of the configuration file. Raises Refused without a configuration file."""
    path = service().live_config.current.path
    if path is None:
        raise Refused("The change cannot be saved: this service runs without a configuration file.")
    return path


def moment(value: float | str | datetime | None) -> str:
    """Return a date and time to show; a value outside UTC's years 1 to 9999 is returned as it is."""
    try:
        found = as_datetime(value)
    except (ValueError, OverflowError):
        return str(value)
    return f"{found.day} {found:%B %Y, %H:%M} UTC" if found else "never"


def day(value: float | str | datetime | None) -> str:
    """Return a short date."""
    found = as_datetime(value)
    return f"{found.day} {found:%b %Y}" if found else "never"


def ago(value: float | str | datetime | None) -> str:
    """Return how long ago a time was, such as "3 hours ago"."""
    found = as_datetime(value)
    if found is None:
        return "never"
    seconds = (datetime.now(UTC) - found).total_seconds()
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def as_datetime(value: float | str | datetime | None) -> datetime | None:
    """Convert seconds since 1970 or a dateTime to UTC; return None for an empty value.

    A time without a zone is UTC. Raises ValueError or OverflowError if it is invalid or outside the years 1 to 9999.
    """
    if not value:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif not isinstance(value, datetime):
        value = datetime.fromtimestamp(value, UTC)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def show_error(error: Exception) -> ResponseReturnValue:
    """Show an exception as a page of the panel."""
    match error:
        case Refused():
            return _error_page(409, "The change was not saved", str(error))
        case CSRFError():
            return _error_page(400, "This form has expired", "Go back, reload the page and submit the form again.")
        case HTTPException():
            return error_page(error)
        case ScimError():
            return _error_page(error.status, _TITLES.get(error.status, "The request failed"), error.detail)
        case Unavailable():
            log.error("panel: %s", error)
            detail = "Try again in a moment. If it happens again, see the service's log."
            return _error_page(503, "The store is unavailable", detail)
    log.error("panel: unexpected error", exc_info=error)
    return _error_page(500, "The page failed", "An unexpected error occurred. See the service's log.")


_TITLES = {404: "Page not found", 405: "Page not found", 413: "The upload is too large"}


def error_page(error: HTTPException) -> ResponseReturnValue:
    """Show an HTTP error as a page."""
    status = error.code or 500
    if status < 400:
        return error
    methods = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    allowed = {"Allow": ", ".join(sorted(methods))} if methods else {}
    return (*_error_page(status, _TITLES.get(status, error.name), error.description or ""), allowed)


def _error_page(status: int, title: str, detail: str) -> tuple[str, int]:
    return render_template("panel/error.html", title=title, detail=detail), status
