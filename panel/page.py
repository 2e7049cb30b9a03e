"""What all pages share: forms, refusals, times, and the words around them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from config.edit import Refused
from scim.errors import ScimError
from scim.web.hooks import log
from scim.web.request import service
from storage.base import Unavailable


def is_form_submission() -> bool:
    """Tell whether a form was sent; whatever else asks, HEAD too, asks for the page with the form."""
    return request.method == "POST"


def form_field(name: str) -> str:
    """Return what stands in a field of the form, or nothing."""
    return request.form.get(name, "")


def refuse(reason: str, status: int = 400) -> NoReturn:
    """End the request with a page that gives the reason."""
    abort(status, description=reason)


def config_path() -> Path:
    """Return the configuration's file."""
    path = service().live_config.current.path
    if path is None:
        raise Refused("This service runs without a configuration file, so there is nowhere to keep the change.")
    return path


def moment(value: float | str | datetime | None) -> str:
    """Return a time as people read it; one at the edge of the calendar, which UTC does not have, as it was sent."""
    try:
        found = as_datetime(value)
    except (ValueError, OverflowError):
        return str(value)
    return f"{found.day} {found:%B %Y, %H:%M} UTC" if found else "never"


def day(value: float | str | datetime | None) -> str:
    """Return the day of a time, briefly."""
    found = as_datetime(value)
    return f"{found.day} {found:%b %Y}" if found else "never"


def ago(value: float | str | datetime | None) -> str:
    """Return how long ago a time was, roughly."""
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
    """Return a time, whether it is seconds since 1970, a dateTime or one already; None for none.

    One that names no zone is UTC. ValueError, OverflowError for what is none, or not in UTC's years 1 to 9999.
    """
    if not value:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif not isinstance(value, datetime):
        value = datetime.fromtimestamp(value, UTC)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def handle_errors(panel: Blueprint) -> None:
    """Say every error in a page of the panel's own."""

    @panel.errorhandler(Refused)
    def refused(error: Refused) -> ResponseReturnValue:
        return _error_page(409, "That did not work", str(error))

    @panel.errorhandler(CSRFError)
    def stale(_: CSRFError) -> ResponseReturnValue:
        return _error_page(400, "This form is out of date", "Go back, reload the page and send the form again.")

    @panel.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        return error_page(error)

    @panel.errorhandler(ScimError)
    def protocol_error(error: ScimError) -> ResponseReturnValue:
        return _error_page(error.status, _TITLES.get(error.status, "That did not work"), error.detail)

    @panel.errorhandler(Unavailable)
    def unavailable(error: Unavailable) -> ResponseReturnValue:
        log.error("panel: %s", error)
        return _error_page(503, "The store cannot be used", "Try again in a moment; the service's log says more.")

    @panel.errorhandler(Exception)
    def unforeseen(_: Exception) -> ResponseReturnValue:
        log.exception("panel: a page failed")
        return _error_page(500, "The page failed", "The service's log on this machine says why.")


_TITLES = {404: "There is no such page", 405: "There is no such page", 413: "That is too large"}


def error_page(error: HTTPException) -> ResponseReturnValue:
    """Say an error of HTTP in a page."""
    status = error.code or 500
    if status < 400:
        return error
    methods = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    allowed = {"Allow": ", ".join(sorted(methods))} if methods else {}
    return (*_error_page(status, _TITLES.get(status, error.name), error.description or ""), allowed)


def _error_page(status: int, title: str, detail: str) -> tuple[str, int]:
    return render_template("panel/error.html", title=title, detail=detail), status
