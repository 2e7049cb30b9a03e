"""Reports of a validation: JSON, JUnit for CI, and a self-contained HTML page."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from entra.client import Exchange, masked
from entra.validate.cases import Result, Status
from entra.validate.runner import Run

LONGEST = 20_000
TEMPLATE = Path(__file__).with_name("report.html")
_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_json(run: Run) -> str:
    """Write the results as one JSON document."""
    return json.dumps({**_summary(run), "results": [r.to_json() for r in run.finished]}, indent=2) + "\n"


def to_junit(run: Run) -> str:
    """Write the results as JUnit XML; a warning is a passed test with output."""
    failures, skipped = str(run.count(Status.FAILED)), str(run.count(Status.SKIPPED))
    counts = {"tests": str(len(run.finished)), "failures": failures, "skipped": skipped}
    suite = ET.Element("testsuite", {"name": "Entra provisioning", **counts})
    for result in run.finished:
        _junit_case(suite, result)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def to_html(run: Run) -> str:
    """Write the results as a page for people, which asks for nothing from anywhere."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["pretty"] = pretty
    sections = [(name, list(found)) for name, found in groupby(run.finished, lambda r: r.case.section)]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        summary=_summary(run), sections=sections, failing=_failing(run)
    )


def pretty(value: Any) -> str:
    """Write a request or an answer for people."""
    value = masked(value)
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n... {len(text) - LONGEST:,} characters more"


def _failing(run: Run) -> list[tuple[Result, str]]:
    """List the cases that failed, then those that warn, once each with the dialects in which they do."""
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


def _junit_case(suite: ET.Element, result: Result) -> None:
    attributes = {
        "classname": f"entra.{result.case.section}",
        "name": result.name,
        "time": f"{result.seconds:.3f}",
    }
    element = ET.SubElement(suite, "testcase", attributes)
    text = "\n".join((result.message, result.case.effect, result.case.fix, *map(_told, result.exchanges)))
    tags = {Status.FAILED: "failure", Status.SKIPPED: "skipped", Status.WARNED: "system-out"}
    if result.status in tags:
        inner = ET.SubElement(element, tags[result.status])
        inner.text = _CONTROL.sub("�", text)
        if result.status is not Status.WARNED:
            inner.set("message", _CONTROL.sub("�", result.message))


def _told(exchange: Exchange) -> str:
    request = "" if exchange.request is None else f" {json.dumps(exchange.request)}"
    answer = "" if exchange.response is None else f" {json.dumps(exchange.response)[:2000]}"
    return f"{exchange.method} {exchange.url}{request} -> {exchange.status or exchange.fault}{answer}"
