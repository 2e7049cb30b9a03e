"""The landing page: whether provisioning works, and what to do if it does not."""

from typing import NamedTuple

from flask import render_template, url_for
from flask.typing import ResponseReturnValue

from panel.directory import resources
from panel.state import connection_state
from scim.web.request import service


class Number(NamedTuple):
    """A number with the page that lists what it counts."""

    value: int
    label: str
    url: str


def overview() -> ResponseReturnValue:
    """Show the status and the numbers."""
    state = connection_state(service().live_config.current, service().activity.seen())
    return render_template("panel/overview.html", state=state, numbers=_numbers())


def _numbers() -> list[Number]:
    types, counted = service().registry.types, resources()
    active, disabled = counted.count(types["User"])
    groups, _ = counted.count(types["Group"])
    return [
        Number(active, "Active users", url_for("panel.listing", kind="Users", state="active")),
        Number(disabled, "Disabled users", url_for("panel.listing", kind="Users", state="disabled")),
        Number(groups, "Groups", url_for("panel.listing", kind="Groups")),
    ]
