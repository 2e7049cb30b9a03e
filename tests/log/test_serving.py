"""The log as gunicorn's workers write it together."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from config.tokens import new_token
from tests.support.scim_client import Scim


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


MALFORMED = (
    "GET /Users HTTP/1.1\r\nHost: x\r\nBad Name: Bearer {}\r\n\r\n",
    "GET /Users HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {}\r\n\r\n",
    "Bearer{} /Users HTTP/1.1\r\n\r\n",
    "GET /Users?password={} HTTP/9.{}\r\n\r\n",
    "POST /api/scim/v2/Users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: tscim_{}\r\n\r\n",
    "POST /api/scim/v2/Users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n",
)


def test_no_secret_is_on_stderr_of_the_real_service(serve, tmp_path):
    token, table = new_token("entra")
    with serve(tmp_path, table, workers=1) as (send, url):
        scim = Scim(send, token)
        host, _, port = url.removeprefix("http://").partition(":")
        for request in MALFORMED:
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                connection.sendall(request.format(*["Hush1234hush"] * 2).encode())
                connection.recv(1_000)
        scim.get("/Users/tscim_Hush1234hush", {"client-request-id": "Bearer Hush1234hush"})
        scim.post("/Users", {"userName": "ann", "token=Hush1234hush": 1, "Bearer Hush1234hush": 2})
        time.sleep(0.2)
        assert scim.get("/Users/last").status == 404
    written = (tmp_path / "log").read_text()
    assert "/Users/(left out)" in written
    assert "Hush1234hush" not in written
