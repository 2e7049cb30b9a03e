"""The running service: data after a restart, tokens without one, and what workers share."""

import time

import pytest
import tomlkit

from config.tokens import new_token
from tests.support.urns import USER


@pytest.fixture
def client(live):
    """Make clients of other services from the live one's class."""
    return type(live)


def test_data_survives_a_restart(serve, client, tmp_path):
    token, table = new_token("restart")
    with serve(tmp_path, table, public_url="https://id.contoso.example") as (send, _):
        scim = client(send, token)
        user = scim.create_user(userName="iris@contoso.example", active=False)
        gone = scim.create_user()
        scim.create_group(displayName="Crew", members=[{"value": user["id"]}, {"value": gone["id"]}])
        scim.delete(f"/Users/{gone['id']}")
        scim.patch_op(f"/Users/{user['id']}", {"op": "Add", "path": "title", "value": "Mate"})
        before = [scim.read(path) for path in ("/Users", "/Groups")]
    with serve(tmp_path, table, public_url="https://id.contoso.example") as (send, _):
        scim = client(send, token)
        assert [scim.read(path) for path in ("/Users", "/Groups")] == before
        assert scim.found("/Users", 'userName eq "IRIS@contoso.example"') == [user["id"]]
        assert scim.post("/Users", {"schemas": [USER], "userName": "Iris@contoso.example"}).status == 409


def test_a_changed_token_takes_effect_within_a_second(serve, client, tmp_path):
    (first, one), (second, two) = new_token("first"), new_token("second")
    with serve(tmp_path, one) as (send, _):
        old, new = client(send, first), client(send, second)
        assert (old.get("/Users").status, new.get("/Users").status) == (200, 401)
        for tokens, statuses in (([one, two], (200, 200)), ([two], (401, 200)), ([], (401, 401))):
            path = tmp_path / "config.toml"
            config = tomlkit.parse(path.read_text())
            config["tokens"] = tokens
            path.write_text(tomlkit.dumps(config))
            time.sleep(1)
            for _ in range(6):  # whichever worker answers
                assert (old.get("/Users").status, new.get("/Users").status) == statuses


def test_cursors_of_one_worker_are_valid_in_the_others(live):
    ids = [live.create_user(userName=f"cursor-{n}@contoso.example")["id"] for n in range(12)]
    query = {"filter": 'userName sw "cursor-"', "count": 1}
    seen, cursor = [], ""
    while cursor is not None:
        page = live.query("/Users", **query, cursor=cursor)
        assert page.status == 200, page.body
        seen += [found["id"] for found in page.body["Resources"]]
        cursor = page.body.get("nextCursor")
    assert seen == ids


def test_every_worker_sees_a_write_at_once(live):
    user = live.create_user(userName="seen@contoso.example")
    for n in range(20):
        operation = {"op": "replace", "path": "title", "value": f"Title {n}"}
        version = live.patch_op(f"/Users/{user['id']}", operation).body["meta"]["version"]
        found = live.read(f"/Users/{user['id']}")
        assert (found["title"], found["meta"]["version"]) == (f"Title {n}", version)
        assert live.found("/Users", f'title eq "title {n}" and userName eq "seen@contoso.example"') == [user["id"]]
