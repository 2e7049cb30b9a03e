"""The log as gunicorn's workers write it together."""

import json
from concurrent.futures import ThreadPoolExecutor

from scim.auth import new_token
from tests.conftest import Scim


def entries(folder):
    return [json.loads(line) for line in (folder / "data" / "provisioning.jsonl").read_text().splitlines()]


def test_workers_write_one_log_and_lose_nothing_when_they_are_stopped(serve, tmp_path):
    token, table = new_token("entra")
    with serve(tmp_path, table, workers=2) as (send, _):
        scim = Scim(send, token)
        with ThreadPoolExecutor(4) as pool:
            users = list(pool.map(lambda number: scim.create_user(userName=f"user-{number}"), range(60)))
            group = scim.create_group()
            add = [{"op": "add", "path": "members", "value": [{"value": user["id"]}]} for user in users[:20]]
            list(pool.map(lambda one: scim.patch_op(f"/Groups/{group['id']}", one), add))
        scim.delete(f"/Users/{users[0]['id']}")
    # The service was told to end before the log's thread would have written what it held.
    written = entries(tmp_path)
    assert len({one["id"] for one in written}) == len(written) == 82
    actions = [one["actions"] for one in written]
    assert [actions.count([word]) for word in ("created", "joined", "deleted")] == [61, 20, 1]
    assert {one["joined"][0]["id"] for one in written if "joined" in one} == {user["id"] for user in users[:20]}
