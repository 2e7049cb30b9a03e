"""The lines on stderr as JSON: one object each, with the members of a request's line, and without secrets."""

import json
import logging
import sys

import pytest

from runtime.buffered_logging import JsonFormatter
from tests.support.running_service import running


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    with running(folder, log={"format": "json"}) as service:
        service.send("GET", "/Users")
        service.send("GET", '/Us"ers%0Aname')
        service.send("POST", "/Users", {"schemas": [], "password": "correct horse"})
    return (folder / "log").read_text().splitlines()


def test_every_line_is_an_object_also_those_of_gunicorn(lines):
    entries = [json.loads(line) for line in lines]
    assert all({"time", "level", "logger", "process", "message"} <= entry.keys() for entry in entries)
    assert {"gunicorn.error", "tinyscim.request"} <= {entry["logger"] for entry in entries}


def test_a_request_has_members_of_its_own(lines):
    requests = [entry for line in lines if (entry := json.loads(line))["logger"] == "tinyscim.request"]
    first = next(entry for entry in requests if entry["path"] == "/api/scim/v2/Users")
    assert (first["method"], first["status"], first["by"], first["client"]) == ("GET", 200, "entra", "-")
    assert isinstance(first["ms"], float)
    assert f"request={first['request']} " in first["message"]
    assert any(entry["path"].endswith('Us"ers\nname') or 'Us"ers' in entry["path"] for entry in requests)


def test_no_secret_is_in_a_line(lines):
    assert not [line for line in lines if "correct horse" in line]


def test_a_record_with_an_exception_is_one_redacted_line():
    try:
        raise ValueError("password=hunter2hunter2")
    except ValueError:
        record = logging.LogRecord("tinyscim", logging.ERROR, "", 0, "token=%s", ("tscim_" + "x" * 43,), sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert "hunter2" not in text
    assert "tscim_x" not in text
    assert "ValueError" in json.loads(text)["message"]
