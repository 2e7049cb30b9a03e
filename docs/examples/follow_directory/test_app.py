"""pytest against a SCIM server whose event feed is on."""

import importlib
from urllib.parse import urljoin

import pytest

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
def app(tinyscim_server, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSCIM_URL", urljoin(tinyscim_server.url, "/"))
    monkeypatch.setenv("TINYSCIM_TOKEN", "an-example-token")
    monkeypatch.chdir(tmp_path)
    return importlib.import_module("app")


def test_the_table_has_what_was_there_and_what_changes(app, tinyscim_server):
    scim = tinyscim_server.client
    ada = scim.post("/Users", json={"schemas": [USER], "userName": "ada"}).json()["id"]
    app.follow()
    bob = scim.post("/Users", json={"schemas": [USER], "userName": "bob"}).json()["id"]
    body = {"schemas": [GROUP], "displayName": "G", "members": [{"value": bob}]}
    group = scim.post("/Groups", json=body).json()["id"]
    scim.delete(f"/Users/{ada}")
    app.follow()
    assert set(app.db.execute("SELECT id FROM resources")) == {(bob,), (group,)}
    assert list(app.db.execute("SELECT * FROM members")) == [(group, bob)]
