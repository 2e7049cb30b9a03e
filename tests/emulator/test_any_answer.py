"""Whatever an endpoint answers, the emulator goes on or stops with a sentence; it never fails itself."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Request, Response

from entra.answers import LIST_RESPONSE, ExportError
from entra.cycle import CycleStoppedError
from entra.discover import discover
from entra.mapping import idmelon_defaults
from entra.replay import LogError, read, replay
from entra.validate import reports
from entra.validate.runner import CASES, Run
from tests.emulator.endpoint import Endpoint
from tests.emulator.helpers import Job, client, company

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
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


class Odd(Endpoint):
    """Answers each request after the probes with the next of the given answers, or properly when they are used up."""

    def __init__(self, answers, after=2):
        super().__init__()
        self.answers = iter(answers)
        self.after = after

    def answer(self, request: Request):
        self.after -= 1
        odd = next(self.answers, None) if self.after < 0 else None
        if odd is None:
            return super().answer(request)
        status, body = odd
        return Response(body, status, content_type="application/scim+json")


ANSWERS = st.lists(st.tuples(STATUSES, BODIES), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(ANSWERS, st.integers(0, 3))
def test_a_cycle_never_fails(answers, after):
    job = Job(Odd(answers, after))
    for _ in range(2):
        with contextlib.suppress(CycleStoppedError):
            job.sync(company(), retry_now=True)
        assert json.dumps([entry.to_json() for entry in job.entries])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CASES), ANSWERS)
def test_a_validation_never_fails(case, answers):
    run = Run(client(Odd(answers, 0)), cases=(case,))
    assert list(run.results())
    assert reports.to_html(run)
    assert reports.to_junit(run)
    assert reports.to_json(run)


@settings(max_examples=30, deadline=None)
@given(ANSWERS)
def test_a_discovery_never_fails(answers):
    with contextlib.suppress(ExportError):
        discover(client(Odd(answers, 0)), idmelon_defaults(), company())


@settings(max_examples=30, deadline=None)
@given(JSON | st.lists(JSON), ANSWERS)
def test_any_log_is_replayed_or_refused(log, answers):
    with contextlib.suppress(LogError):
        list(replay(client(Odd(answers, 0)), read(json.dumps(log))))
