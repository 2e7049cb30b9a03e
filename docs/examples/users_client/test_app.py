"""pytest against a SCIM server: the fixture `tinyscim_server` starts one on a free port, in memory."""

import httpx
import pytest

from app import dismiss, hire


@pytest.fixture
def scim(tinyscim_server):
    yield tinyscim_server.client
    tinyscim_server.reset()


def test_a_new_colleague_has_a_user(scim):
    hire(scim, "ada@example.com")
    found = scim.get("/Users", params={"filter": 'userName eq "ada@example.com"'}).json()
    assert found["totalResults"] == 1


def test_a_user_who_has_left_is_disabled(scim):
    ada = hire(scim, "ada@example.com")
    dismiss(scim, ada)
    assert scim.get(f"/Users/{ada}").json()["active"] is False


def test_a_name_is_given_once(scim):
    hire(scim, "ada@example.com")
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        hire(scim, "ADA@example.com")
