"""Two hosts of the service on one PostgreSQL database."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from config import edit
from config.shared import SPREAD
from config.tokens import new_token
from tests.support import postgres
from tests.support.hosts import two_hosts, user_names

pytestmark = pytest.mark.long

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
RACES = 40
STEPS = 50
CHECKS = 10_000


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    with (
        postgres.running(**postgres.NEVER_SYNC) as server,
        postgres.database(server.url()) as url,
        two_hosts(tmp_path_factory.mktemp("hosts"), url) as hosts,
    ):
        yield hosts


@contextmanager
def client_of(host, token):
    headers = {"Authorization": f"Bearer {token}"}
    each_worker = httpx.Limits(max_keepalive_connections=0)  # a connection stays with its worker
    with httpx.Client(base_url=host.scim, headers=headers, timeout=60, limits=each_worker) as client:
        yield client


@pytest.fixture
def clients(hosts):
    one, other = hosts
    with client_of(one, one.token) as first, client_of(other, one.token) as second:
        yield first, second


def set_title(client, id, title, **headers):
    body = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "title", "value": title}]}
    return client.patch(f"/Users/{id}", json=body, headers=headers)


def test_one_of_many_gets_a_name(clients):
    with ThreadPoolExecutor(8) as pool:
        for race in range(RACES):
            posts = [pool.submit(clients[n % 2].post, "/Users", json={"userName": f"Race{race}"}) for n in range(8)]
            answers = [post.result() for post in posts]
            assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
            assert {answer.json()["scimType"] for answer in answers if answer.status_code == 409} == {"uniqueness"}
    for client in clients:
        found = client.get("/Users", params={"filter": 'userName sw "race"', "count": 0}).json()
        assert found["totalResults"] == RACES


def test_no_update_with_if_match_is_lost(clients):
    id = clients[0].post("/Users", json={"userName": "counted", "title": "0"}).json()["id"]

    def count(client):
        for _ in range(STEPS):
            while True:
                before = client.get(f"/Users/{id}").json()
                answer = set_title(client, id, str(int(before["title"]) + 1), **{"If-Match": before["meta"]["version"]})
                if answer.status_code == 200:
                    break
                assert answer.status_code == 412

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, clients * 2))
    assert [client.get(f"/Users/{id}").json()["title"] for client in clients] == [str(4 * STEPS)] * 2


def test_no_host_reads_what_was_replaced(clients):
    id = clients[0].post("/Users", json={"userName": "read", "title": "x"}).json()["id"]
    stale, checked = [], 0
    for number in range(CHECKS // 10):
        writer, reader = clients if number % 2 else clients[::-1]
        set_title(writer, id, f"t{number}").raise_for_status()
        for turn in range(10):
            client = reader if turn % 3 else writer
            if turn % 2:
                found = client.get(f"/Users/{id}").json()
            else:
                (found,) = client.get("/Users", params={"filter": 'userName eq "READ"'}).json()["Resources"]
            checked += 1
            if found["title"] != f"t{number}":
                stale.append((number, turn, found["title"]))
    assert (checked, stale) == (CHECKS, [])


def test_a_cursor_of_one_host_works_on_the_other(clients):
    for number in range(3):
        clients[0].post("/Users", json={"userName": f"page{number}"})
    first = clients[0].get("/Users", params={"cursor": "", "count": 2}).json()
    second = clients[1].get("/Users", params={"cursor": first["nextCursor"], "count": 2})
    assert second.status_code == 200, second.text


def test_a_token_of_one_host_works_on_the_other_until_it_is_revoked(hosts, tmp_path):
    one, other = hosts
    text = edit.add_token(one.folder / "config.toml", "second")
    wait_for(lambda: other.probe(text) == 200)
    edit.revoke_token(other.folder / "config.toml", "second")
    wait_for(lambda: one.probe(text) == 401)


def wait_for(condition):
    """Wait as long as a change of the configuration may take to all workers of all hosts."""
    assert any(condition() or threading.Event().wait(0.1) for _ in range(int(SPREAD * 10) + 10))
    # Another worker of the host may be a moment later.
    threading.Event().wait(1)
    assert all(condition() for _ in range(20))


def test_a_host_with_tokens_of_its_own_takes_those_of_the_others(hosts):
    _, other = hosts
    assert other.probe(other.token) == 401
    assert other.probe(new_token("unknown")[0]) == 401


def test_each_host_has_all_users(hosts):
    one, other = hosts
    assert user_names(one, one.token) == user_names(other, one.token) != []
