"""Third-party checks (scim2-tester) and a third-party client (scim2-client), against the real service."""

import pytest
from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from config.tokens import new_token


@pytest.fixture
def client(serve, tmp_path):
    """A client of a service of its own: the checks look for what they created on the first page of all resources."""
    token, table = new_token("checks")
    with serve(tmp_path, table) as (_, url), Client(base_url=f"{url}/api/scim/v2") as http:
        http.headers["Authorization"] = f"Bearer {token}"
        yield SyncSCIMClient(http)


def test_every_check_of_scim2_tester_passes(client):
    results = check_server(client)
    assert len(results) > 100
    failed = [(one.title, one.reason) for one in results if one.status not in (Status.SUCCESS, Status.SKIPPED)]
    assert failed == []


def test_scim2_client_creates_finds_changes_and_deletes(client):
    client.discover()
    user_model = client.get_resource_model("User")
    user = client.create(user_model(user_name="peer@contoso.example", display_name="Peer"))
    found = client.query(user_model, query_parameters={"filter": 'userName eq "PEER@contoso.example"'})
    assert [one.id for one in found.resources] == [user.id]
    user.display_name = "Other"
    assert client.replace(user).display_name == "Other"
    client.delete(user_model, user.id)
    assert client.query(user_model, query_parameters={"filter": f'id eq "{user.id}"'}).total_results == 0
