"""Replaying a recorded log."""

import json

import pytest

from entra.replay import LogError, read, replay
from tests.support import emulator_faults as faults
from tests.support.emulator_endpoint import Endpoint
from tests.support.emulator_job import Job, client, company


def recorded(job):
    return [exchange.to_json() for entry in job.entries for exchange in entry.exchanges]


def lines(records):
    return "\n".join(json.dumps(record) for record in records)


def replayed(text, app=None):
    return list(replay(client(app or Endpoint()), read(text)))


@pytest.mark.parametrize("flag", [False, True])
def test_a_replay_against_an_equal_endpoint_has_equal_responses(flag):
    job = Job(flag=flag)
    job.sync(company())
    comparisons = replayed(lines(recorded(job)))
    assert len(comparisons) > 8
    assert [c.differences for c in comparisons if c.differences] == []


def test_the_provisioning_log_of_a_cycle_can_be_replayed():
    job = Job()
    job.sync(company())
    text = lines(entry.to_json() for entry in job.entries)
    assert all(not c.differences for c in replayed(text))


def test_different_responses_are_reported():
    job = Job()
    job.sync(company())
    text = lines(recorded(job))
    found = {d for c in replayed(text, faults.StringBooleans()) for d in c.differences}
    assert 'active: true -> "True"' in found
    assert any(d.startswith("status 200 -> 405") for c in replayed(text, faults.NoPatch()) for d in c.differences)


def test_a_har_file_is_read():
    body = {"userName": "a@b.c"}
    post = {"method": "POST", "url": "https://old.example/scim/v2/Users", "postData": {"text": json.dumps(body)}}
    get = {"method": "GET", "url": "https://old.example/scim/v2/Users?filter=userName+eq+%22a%40b.c%22"}
    page = {"method": "GET", "url": "https://old.example/style.css"}
    entries = [{"request": r, "response": {"status": s}} for r, s in ((post, 201), (get, 200), (page, 200))]
    log = read(json.dumps({"log": {"entries": entries}}))
    assert [(r.method, r.path, r.query, r.request) for r in log] == [
        ("POST", "/Users", [], body),
        ("GET", "/Users", [("filter", 'userName eq "a@b.c"')], None),
    ]
    assert all(not c.differences for c in replay(client(Endpoint()), log))


def test_lines_with_absent_keys_and_bodies_as_text_are_read():
    log = read('{"method": "get", "path": "/x/Groups/1", "query": {"excludedAttributes": "members"}}\n\n')
    assert (log[0].method, log[0].path, log[0].query) == ("GET", "/Groups/1", [("excludedAttributes", "members")])
    log = read('{"method": "POST", "path": "/Users", "request": "{\\"userName\\": \\"x\\"}", "response": "oops"}')
    assert (log[0].request, log[0].response, log[0].status) == ({"userName": "x"}, "oops", None)


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85"])
def test_unicode_line_separators_do_not_end_a_line_of_the_log(inside):
    names = [f"a{inside}b", "c"]
    posts = [{"method": "POST", "path": "/Users", "request": {"userName": name}} for name in names]
    text = "\r\n".join(json.dumps(post, ensure_ascii=False) for post in posts)
    assert [recorded.request["userName"] for recorded in read(text)] == names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no request"),
        ("{}", "no request"),
        ("[1]", "no request"),
        ('{"method": 1}\nx', "line 2 is not JSON"),
        ("[" * 200_000, "line 1 is not JSON: it is nested too deeply"),
        ('{"method": "GETé", "path": "/Users"}', "'GETÉ' is not an HTTP method"),
        ('{"method": "GET", "path": "/Users/\\ud800"}', "half a surrogate pair"),
        ('{"log": {"entries": [1]}}', "no request"),
        ('{"log": {"entries": 1}}', "no request"),
        ('{"log": {"entries": [{"request": 1, "response": {"content": 1}}]}}', "no request"),
        ('{"log": {"entries": [{"request": {"postData": 1}, "response": 1}]}}', "no request"),
    ],
)
def test_an_invalid_log_is_rejected_with_the_reason(text, reason):
    with pytest.raises(LogError, match=reason):
        read(text)


@pytest.mark.parametrize("odd", ["[" * 5_000, r'"\ud800"', "NaN"])
def test_bodies_that_cannot_be_serialised_stay_text(odd):
    text = json.dumps({"method": "POST", "path": "/Users", "request": odd, "response": odd})
    (recorded,) = read(text)
    assert (recorded.request, recorded.response) == (odd, odd)
    (comparison,) = replayed(text, faults.Scripted([(200, odd)], after=0))
    assert (comparison.exchange.response, comparison.differences) == (odd, [])
