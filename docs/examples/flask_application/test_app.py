"""The application reads from a SCIM server that the test fills."""

import pytest

from app import create_app

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


@pytest.fixture
def scim(tinyscim_server):
    yield tinyscim_server.client
    tinyscim_server.reset()


def add(scim, name, active):
    user = {"schemas": [USER], "userName": f"{name}@example.com".lower(), "displayName": name, "active": active}
    scim.post("/Users", json=user).raise_for_status()


def test_the_page_lists_active_users(scim):
    add(scim, "Grace", active=True)
    add(scim, "Ada", active=True)
    add(scim, "Charles", active=False)
    assert create_app(scim).test_client().get("/people").json == ["Ada", "Grace"]
