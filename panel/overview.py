"""The landing page: whether provisioning works, and what to do if it does not."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from flask import current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config.expiry import expiring
from panel import chart, probe
from panel.directory import resources
from panel.status import Status, current_status
from panel.webhooks import shown_webhooks
from provisioning_log import activity_of, log_of
from provisioning_log.activity import HOUR, SPANS, Activity, Bucket, Rejection
from provisioning_log.entries import timestamp
from provisioning_log.failures import Cause
from provisioning_log.search import Criteria, read_time
from scim.web.request import base_url, service

_LABELS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
_MAX_CAUSES = 5
_REJECTED = "Requests like Entra's are rejected (401): their token is unknown"
_PASTE_AGAIN = "If you have changed the token in Entra, create a new one here and paste it again."
_UNKNOWN = (
    "Their values are dropped, because no schema here declares them. Remove the mappings in Entra or declare them."
)


class Number(NamedTuple):
    """A number with the page that lists what it counts."""

    value: int
    label: str
    url: str


class Step(NamedTuple):
    """A step of the checklist."""

    label: str
    is_done: bool
    url: str


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs attention: what it is and how to fix it. `link` is the text of the link to `url`."""

    title: str
    advice: str
    url: str
    link: str
    count: int = 1
    last: str = ""


def overview() -> ResponseReturnValue:
    """Show the status, the numbers, the activity and what needs attention."""
    activity, now = activity_of(current_app).read(), time.time()
    span = request.args.get("span", "")
    span = span if span in SPANS else "24h"
    status = current_status(service().live_config.current, activity, now)
    log = log_of(current_app)
    causes = log.failures(timestamp(now - 24 * HOUR), activity) if log else []
    return render_template(
        "panel/overview.html",
        status=status,
        numbers=_numbers(activity),
        checklist=_checklist(activity),
        chart=chart.draw(activity.buckets(span)),
        span=span,
        spans=_LABELS,
        width=chart.WIDTH,
        height=chart.HEIGHT,
        attention=[*_rejected(activity, status), *_logged(causes), *_webhooks(), *_settings()],
        log_url=_log_url,
    )


def _numbers(activity: Activity) -> list[Number]:
    types, counted = service().registry.types, resources()
    active, disabled = counted.count(types["User"])
    groups, _ = counted.count(types["Group"])
    log = log_of(current_app)
    failed = (
        log.totals(Criteria(since=read_time("24h"))).failures  # as its list has them
        if log
        else sum(bucket.counts["failed"] for bucket in activity.buckets("24h"))
    )
    return [
        Number(active, "Active users", url_for("panel.listing", kind="Users", state="active")),
        Number(disabled, "Disabled users", url_for("panel.listing", kind="Users", state="disabled")),
        Number(groups, "Groups", url_for("panel.listing", kind="Groups")),
        Number(failed, "Failures in 24 hours", url_for("panel.log", result="failure", since="24h")),
    ]


def _checklist(activity: Activity) -> list[Step]:
    """Return the steps until the first user is provisioned, or nothing once all are done."""
    has_token = service().live_config.current.lets_write
    users = resources().count(service().registry.types["User"])
    guide = url_for("panel.guide")
    steps = [
        Step("Public URL set", not probe.unreachable(base_url()), url_for("panel.entra")),
        Step("Token created", has_token, url_for("panel.new_token")),
        Step("First request from Entra received", bool(activity.last_request), guide),
        Step("First user provisioned", bool(activity.last_request) and any(users), guide),
    ]
    return [] if activity.last_request and steps[-1].is_done else steps


def _rejected(activity: Activity, status: Status) -> Iterator[Concern]:
    """Yield requests with an unknown token that may be Entra's, unless the status says so already."""
    rejected = [one for one in activity.entra_rejections() if not one.token]
    if rejected and status.name != "refused":
        yield Concern(_REJECTED, _PASTE_AGAIN, url_for("panel.log", result="rejected"), "Rejected", *_often(rejected))


def _logged(causes: list[Cause]) -> Iterator[Concern]:
    """Yield the most frequent failures, and unknown attributes."""
    for cause in causes[:_MAX_CAUSES]:
        example = url_for("panel.log_entry", id=cause.example.id)
        yield Concern(cause.title, cause.advice, example, "Example", cause.count, cause.example.time)
    log = log_of(current_app)
    unknown = log.warnings() if log else []
    if unknown:
        title = f"{len(unknown)} unknown attribute{'s' * (len(unknown) > 1)}"
        yield Concern(title, _UNKNOWN, url_for("panel.log_unknown"), "Unknown attributes", last=unknown[0].last)


def _webhooks() -> Iterator[Concern]:
    """Yield the webhooks that were paused after failures."""
    for one in shown_webhooks():
        if one.progress.stopped and not one.webhook.paused:
            problem = one.progress.attempts[0].problem if one.progress.attempts else ""
            yield Concern(
                f"The webhook “{one.webhook.name}” was paused",
                f"Its events could not be delivered: {problem}. Repair the application, then resume the webhook.",
                url_for("panel.webhooks"),
                "Webhooks",
                last=timestamp(one.progress.stopped),
            )


def _settings() -> Iterator[Concern]:
    """Yield credentials that expire soon, and why Entra cannot reach the public URL."""
    for expiry in expiring(service().live_config.current):
        yield Concern(expiry.title, expiry.remedy, url_for("panel.entra"), "Credentials")
    for problem in probe.unreachable(base_url()):
        yield Concern(problem.title, problem.detail, url_for("panel.entra"), "SCIM URL")


def _often(rejections: list[Rejection]) -> tuple[int, str]:
    """Return the number of rejected requests, and the time of the last one."""
    return sum(one.count for one in rejections), timestamp(max(one.last for one in rejections))


def _log_url(bucket: Bucket) -> str:
    since, until = (datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M") for time in (bucket.start, bucket.end))
    return url_for("panel.log", since=since, until=until)
