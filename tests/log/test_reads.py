"""Recording of reads: off by default, and with an end."""

from provisioning_log.activity import Activity
from provisioning_log.shares import owner_of
from tests.support.urns import USER

BEFORE, AFTER = "2020-01-31T12:00:00Z", "2999-01-31T12:00:00Z"


def test_reads_are_not_recorded_by_default(logged):
    logged.scim.get("/Users")
    assert logged.entries() == []


def test_a_recording_has_each_get_with_its_filter(make_logged):
    logged = make_logged(log={"record_reads_until": AFTER})
    ann = logged.scim.create_user(userName="ann", displayName="Ann")
    logged.scim.query("/Users", filter='userName eq "ann"', attributes="id")
    logged.scim.get(f"/Users/{ann['id']}")
    logged.scim.get("/Schemas")
    logged.scim.post("/Users/.search", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]})
    _, query, read, schemas, search = logged.entries()
    assert (query.actions, query.status, query.method, query.type) == (("read",), 200, "GET", "User")
    assert query.query == {"filter": 'userName eq "ann"', "attributes": "id"}
    assert read.who.name == "Ann"
    assert [row.entry.actions for row in logged.log.history(ann["id"], Activity())] == [("created",)]
    assert schemas.path.endswith("/Schemas")
    assert search.method == "POST"
    assert logged.run("tail", "--action", "read", "-n", "9").output.count(" 200 read ") == 4
    assert [entry.actions for entry in logged.entries(result="success")] == [("created",)]


def test_a_recording_has_no_secrets(make_logged):
    logged = make_logged(log={"record_reads_until": AFTER})
    logged.scim.query("/Users", filter='password eq "hush"')
    logged.scim.query("/Users", filter=f'userName eq "{logged.scim.token}"')
    logged.log.flush()
    text = logged.path.read_text()
    assert "hush" not in text
    assert logged.scim.token not in text


def test_a_recording_ends_by_itself(make_logged):
    logged = make_logged(log={"record_reads_until": BEFORE})
    logged.scim.get("/Users")
    assert logged.entries() == []


def test_recorded_reads_evict_no_changes(make_logged):
    logged = make_logged(log={"record_reads_until": AFTER, "max_bytes": 100_000})
    logged.scim.create_user(userName="ann")
    for number in range(600):
        logged.scim.get(f"/Users?startIndex={number}")
    assert logged.entries()[0].actions == ("created",)
    assert owner_of(logged.path.read_bytes().splitlines()[-1]) == "reads"


def test_failures_are_logged_once_while_reads_are_recorded(make_logged):
    logged = make_logged(log={"record_reads_until": AFTER})
    logged.scim.get("/Users/none")
    logged.scim.post("/Users", {"schemas": [USER]})
    assert [entry.actions for entry in logged.entries()] == [("failed",), ("failed",)]
