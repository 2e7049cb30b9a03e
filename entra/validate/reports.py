"""Reports of a validation: JSON, JUnit for CI, and a self-contained HTML page."""

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from entra import console, curl
from entra.exchange import Exchange
from entra.validate.cases import Result, Status
from entra.validate.runner import Run

MAX_LENGTH = 20_000
TEMPLATE = Path(__file__).with_name("report.html")
JUNIT_TAGS = {Status.FAILED: "failure", Status.SKIPPED: "skipped", Status.WARNED: "system-out"}
_INVALID_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_json(run: Run) -> str:
    """Return the results as a JSON document."""
    return json.dumps({**_summary(run), "results": [r.to_json() for r in run.finished]}, indent=2) + "\n"


def to_junit(run: Run) -> str:
    """Return the results as JUnit XML; a warning is a passed test with output."""
    failures, skipped = str(run.count(Status.FAILED)), str(run.count(Status.SKIPPED))
    counts = {"tests": str(len(run.finished)), "failures": failures, "skipped": skipped}
    suite = ET.Element("testsuite", {"name": "Entra provisioning", **counts})
    for result in run.finished:
        _add_junit_case(suite, result)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def to_html(run: Run) -> str:
    """Return the results as an HTML page that loads nothing."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(pretty=_pretty, curl=curl.command)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    sections = [(name, list(found)) for name, found in groupby(run.finished, lambda r: r.case.section)]
    return template.render(summary=_summary(run), sections=sections, failing=_failing(run))


def _pretty(body: Any) -> str:
    text = console.pretty(body)
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}\n... {len(text) - MAX_LENGTH:,} more characters"


def _failing(run: Run) -> list[tuple[Result, str]]:
    """List each failed case, then each warned case, with its dialects."""
    found: dict[str, list[Result]] = {}
    for status in (Status.FAILED, Status.WARNED):
        for result in run.finished:
            if result.status is status:
                found.setdefault(result.case.name, []).append(result)
    return [(results[0], " and ".join(r.dialect for r in results)) for results in found.values()]


def _summary(run: Run) -> dict[str, Any]:
    return {
        "endpoint": run.endpoint.base,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": {str(status): run.count(status) for status in Status},
        "left_behind": run.left_behind,
    }


def _add_junit_case(suite: ET.Element, result: Result) -> None:
    attributes = {"classname": f"entra.{result.case.section}", "name": result.name, "time": f"{result.seconds:.3f}"}
    element = ET.SubElement(suite, "testcase", attributes)
    if result.status in JUNIT_TAGS:
        about = (result.message, result.case.effect, result.case.fix, *(s.name for s in result.case.sources))
        lines = (*about, *(_exchange_line(e, is_failing=e is result.failing) for e in result.exchanges))
        inner = ET.SubElement(element, JUNIT_TAGS[result.status])
        inner.text = _INVALID_IN_XML.sub("�", "\n".join(lines))
        if result.status is not Status.WARNED:
            inner.set("message", _INVALID_IN_XML.sub("�", result.message))


def _exchange_line(exchange: Exchange, *, is_failing: bool) -> str:
    request = "" if exchange.request is None else f" {json.dumps(exchange.request)}"
    response = "" if exchange.response is None else f" {json.dumps(exchange.response)[:2000]}"
    mark = "FAILING " if is_failing else ""
    return f"{mark}{exchange.method} {exchange.url}{request} -> {exchange.outcome}{response}"
