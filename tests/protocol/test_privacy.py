"""What is never stored, returned or logged; and the host of locations."""

import logging
import threading

import pytest

from storage.memory import MemoryStore
from tests.support.urns import USER

FORWARDED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/elsewhere",
}


def test_a_password_is_accepted_and_dropped(make_scim):
    store = MemoryStore()
    scim = make_scim(store=store)
    user = scim.create_user(password="s3cr3t-one")
    path = f"/Users/{user['id']}"
    answers = [
        scim.patch_op(path, {"op": "add", "path": "password", "value": "s3cr3t-two"}),
        scim.patch_op(path, {"op": "replace", "value": {"password": "s3cr3t-three"}}),
        scim.put(path, {**user, "password": "s3cr3t-four"}),
        scim.get(f"{path}?attributes=password"),
        scim.get("/Users"),
    ]
    assert {answer.status for answer in answers} == {200}
    assert not [answer for answer in answers if "s3cr3t" in answer.text or "password" in answer.text]
    assert scim.found("/Users", "password pr") == []
    with store.reading() as reader:
        assert "s3cr3t" not in repr([stored.data for stored in reader.scan("User")])


def test_a_request_is_one_line_of_log_without_personal_data(scim, caplog):
    caplog.set_level(logging.DEBUG)
    user = scim.create_user(userName="xenia-private@contoso.example", title="Title-private")
    caplog.clear()
    scim.query("/Users", filter='userName eq "xenia-private@contoso.example"')
    scim.get(f"/Users/{user['id']}", {"client-request-id": "their-id-1"})
    scim.patch_op(f"/Users/{user['id']}", {"op": "add", "path": "title", "value": "Cook-private"})
    scim.query("/Users", filter='userName broken "broken-private"')
    scim.post("/Users", {"userName": "xenia-private@contoso.example"})
    scim.get("/Users", {"Authorization": "Bearer wrong-private"})
    lines = [record.getMessage() for record in caplog.records if "/api/scim/v2/Users" in record.getMessage()]
    assert len(lines) == 6
    assert [method for line in lines for method in ("GET", "PATCH", "POST") if method in line] == [
        *["GET", "GET", "PATCH", "GET", "POST", "GET"]
    ]
    assert "their-id-1" in lines[1]
    assert "tests" in lines[0]
    assert "private" not in caplog.text
    assert scim.token not in caplog.text


def test_request_lines_use_the_configured_record_factory(scim, caplog, monkeypatch):
    class Traced(logging.LogRecord):
        trace = "trace-1"

    caplog.set_level(logging.INFO)
    usual = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Traced)
    try:
        scim.get("/Users")
    finally:
        logging.setLogRecordFactory(usual)
    scim.get("/Users")
    one, other = (record for record in caplog.records if record.name == "tinyscim.request")
    assert (one.trace, one.getMessage().split()[2:5]) == ("trace-1", other.getMessage().split()[2:5])
    assert set(vars(logging.makeLogRecord({}))) <= set(vars(other))
    assert (other.threadName, other.thread) == (threading.current_thread().name, threading.get_ident())


def location(scim, headers=None):
    return scim.post("/Users", {"schemas": [USER], "userName": "yan"}, headers).headers["Location"]


def test_locations_follow_the_host_of_the_request(scim):
    assert location(scim, {"Host": "scim.contoso.example"}).startswith("http://scim.contoso.example/api/scim/v2/Users/")


def test_locations_ignore_the_headers_of_untrusted_proxies(scim):
    at = location(scim, {"Host": "scim.contoso.example", **FORWARDED})
    assert at.startswith("http://scim.contoso.example/api/scim/v2/Users/")


def test_only_the_trusted_number_of_proxies_counts(make_scim):
    scim = make_scim(server={"trusted_proxies": 1})
    forwarded = {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil.example, id.contoso.example"}
    assert location(scim, forwarded).startswith("https://id.contoso.example/")


@pytest.mark.parametrize("slash", ["", "/"])
def test_locations_use_public_url_if_set(make_scim, slash):
    scim = make_scim(server={"public_url": f"https://id.contoso.example{slash}"})
    user = scim.create_user()
    expected = f"https://id.contoso.example/api/scim/v2/Users/{user['id']}"
    assert user["meta"]["location"] == expected
    found = scim.get(f"/Users/{user['id']}", FORWARDED)
    assert found.body["meta"]["location"] == expected
    assert scim.read("/ResourceTypes/User")["meta"]["location"].startswith("https://id.contoso.example/api/scim/v2/")
