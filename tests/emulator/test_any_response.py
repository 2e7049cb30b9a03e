"""No response of an endpoint makes the emulator fail: it continues, or stops with a message."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from entra.cycle import CycleStoppedError
from entra.discover import discover
from entra.mapping import idmelon_defaults
from entra.replay import LogError, read, replay
from entra.responses import LIST_RESPONSE, ExportError
from entra.targets import ENTERPRISE
from entra.validate import reports
from entra.validate.runner import CASES, Run
from tests.support.emulator_faults import Scripted
from tests.support.emulator_job import Job, client, company

NAMES = (
    "schemas Resources totalResults startIndex id members emails name manager active detail meta userName roles "
    "log entries method path query request response requests"
)
KEYS = st.sampled_from([*NAMES.split(), ENTERPRISE])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(LIST_RESPONSE) | st.just("/Users")
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5))
RESOURCES = st.dictionaries(KEYS, JSON, max_size=5).map(lambda found: {"id": "1", **found})
LISTS = st.fixed_dictionaries({"schemas": st.just([LIST_RESPONSE]), "Resources": st.lists(RESOURCES, max_size=2)})
BODIES = (JSON | RESOURCES | LISTS).map(json.dumps) | st.text(max_size=10)
STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 404, 409, 429, 500, 501])


RESPONSES = st.lists(st.tuples(STATUSES, BODIES), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(RESPONSES, st.integers(0, 3))
def test_a_cycle_handles_any_response(responses, after):
    job = Job(Scripted(responses, after))
    for _ in range(2):
        with contextlib.suppress(CycleStoppedError):
            job.sync(company(), retry_now=True)
        assert json.dumps([entry.to_json() for entry in job.entries])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CASES), RESPONSES)
def test_a_validation_handles_any_response(case, responses):
    run = Run(client(Scripted(responses, 0)), cases=(case,))
    assert list(run.results())
    assert reports.to_html(run)
    assert reports.to_junit(run)
    assert reports.to_json(run)


@settings(max_examples=30, deadline=None)
@given(RESPONSES)
def test_account_discovery_handles_any_response(responses):
    with contextlib.suppress(ExportError):
        discover(client(Scripted(responses, 0)), idmelon_defaults(), company())


@settings(max_examples=30, deadline=None)
@given(JSON | st.lists(JSON), RESPONSES)
def test_any_log_is_replayed_or_rejected(log, responses):
    with contextlib.suppress(LogError):
        list(replay(client(Scripted(responses, 0)), read(json.dumps(log))))
