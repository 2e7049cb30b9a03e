"""Webhooks of the real service: several workers, some of which are killed, and endpoints that are slow or fail."""

import os
import signal
import time
from contextlib import contextmanager, suppress
from random import Random
from threading import Event, Thread

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from config import edit, webhook_edit
from config.tokens import new_signing_secret
from tests.support.emulator_cli import run
from tests.support.running_service import running
from tests.support.serving import workers
from tests.support.webhook_receiver import Reply, receiving

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SECRET, TABLE = new_signing_secret()
FEED: dict = {"events": {"enabled": True}}


def table(name, url, **rest):
    return {"name": name, "url": url, "types": [], "paused": False, "secrets": [TABLE], **rest}


@pytest.fixture(scope="module")
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def slow():
    """An endpoint that answers only once its event is set."""
    with receiving() as receiver:
        receiver.answering = Event()
        receiver.reply = lambda _: Reply(act=lambda _: receiver.answering.wait(60))
        yield receiver
        receiver.answering.set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("webhooks")


@pytest.fixture(scope="module")
def service(folder, receiver, slow):
    webhooks = [table("crm", receiver.url), table("slow", slow.url), table("dead", "http://127.0.0.1:9/")]
    with running(folder, webhooks=webhooks, webhook_delivery={"timeout": 60, "retries": [0] * 20}, **FEED) as service:
        wait_for(lambda: "dead" in (folder / "data" / "tinyscim.webhooks.json").read_text())
        yield service


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if condition():
                return
        assert time.monotonic() < end
        time.sleep(0.05)


def create(service, name):
    """Create a user; a request that a dying worker did not answer is sent again."""
    return write(service, "POST", "/Users", {"schemas": [USER], "userName": name})


def rename(service, id, name):
    body = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": name}]}
    return write(service, "PATCH", f"/Users/{id}", body)


def write(service, method, path, body=None):
    answer = service.send(method, path, body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def of(receiver, *ids):
    """The events about resources in the order in which they first came."""
    known = {one["id"]: one for one in reversed(receiver.events)}
    order = dict.fromkeys(one["id"] for one in receiver.events)
    return [known[id] for id in order if known[id]["resource"]["id"] in ids]


def test_changes_arrive_signed_and_in_order(service, receiver):
    ada = create(service, "ada@example.com")
    rename(service, ada["id"], "Ada")
    write(service, "DELETE", f"/Users/{ada['id']}")
    receiver.wait_for(lambda: len(of(receiver, ada["id"])) == 3)
    events = of(receiver, ada["id"])
    assert [one["type"] for one in events] == ["user.created", "user.updated", "user.deleted"]
    assert events[1]["data"]["displayName"] == "Ada"
    request = receiver.requests[-1]
    assert Webhook(SECRET).verify(request.body, request.headers) == request.event


def test_a_slow_and_a_dead_endpoint_hold_up_nothing_else(service, receiver, slow):
    bob = create(service, "bob@example.com")
    receiver.wait_for(lambda: of(receiver, bob["id"]))
    assert len(slow.requests) <= 1
    assert not slow.answering.is_set()


def test_a_webhook_that_is_added_gets_the_next_events(service, folder):
    with receiving() as added:
        webhook_edit.add_webhook(folder / "config.toml", "erp", added.url, ["user.created"])
        wait_for(lambda: '"erp"' in (folder / "data" / "tinyscim.webhooks.json").read_text())
        cleo = create(service, "cleo@example.com")
        rename(service, cleo["id"], "Cleo")
        dan = create(service, "dan@example.com")
        added.wait_for(lambda: of(added, dan["id"]))
        assert [one["type"] for one in added.events] == ["user.created"] * 2
        webhook_edit.remove_webhook(folder / "config.toml", "erp")


def test_when_the_process_that_sends_is_killed_another_one_goes_on(service, receiver):
    before = create(service, "before@example.com")
    receiver.wait_for(lambda: of(receiver, before["id"]))
    for number, worker in enumerate(workers(service.folder)):  # one of them sends
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda gone=worker: gone not in workers(service.folder) and len(workers(service.folder)) == 2)
        user = create_again(service, f"after-{number}@example.com")
        receiver.wait_for(lambda id=user["id"]: of(receiver, id))


def create_again(service, name):
    """Create a user, however often it takes: a worker that was killed may have had the connection."""
    for _ in range(50):
        with suppress(Exception):
            answer = service.send("POST", "/Users", {"schemas": [USER], "userName": name})
            if answer.status_code in (201, 409):
                found = service.send("GET", f"/Users?filter=userName+eq+%22{name}%22").json()
                return found["Resources"][0]
        time.sleep(0.1)
    raise AssertionError(name)


@pytest.mark.long
def test_an_endpoint_that_fails_at_random_gets_every_event_in_order_while_workers_are_killed(tmp_path):
    chance, tenant, folder = Random(22), tmp_path / "tenant.json", tmp_path / "service"
    folder.mkdir()
    tenant.write_text(run("demo", "--users", 1000, "--groups", 20).output)
    options = {"webhook_delivery": {"timeout": 5, "retries": [0] * 20}, **FEED}
    with receiving() as receiver, running(folder, webhooks=[table("crm", receiver.url)], **options) as service:
        receiver.reply = lambda _: Reply(chance.choice((204, 204, 500, 503)))
        wait_for(lambda: "crm" in (folder / "data" / "tinyscim.webhooks.json").read_text())
        for cycle in range(2):
            with killing_workers(folder, chance) as killed:
                assert run("sync", tenant, "--url", service.scim, "--rate", 0, token=service.token).output
            assert len(killed) > 1
            assert cycle or run("day", tenant, "--scale", 20).exit_code == 0
        expected = all_ids(service, edit.add_token(folder / "config.toml", "reader", read_only=True))
        receiver.wait_for(lambda: receiver.requests[-1].headers["webhook-id"] == expected[-1], 120)
    assert len(expected) > 1500
    assert list(dict.fromkeys(one.headers["webhook-id"] for one in receiver.requests)) == expected


@contextmanager
def killing_workers(folder, chance):
    """Kill a worker every second or two."""
    ending, killed = Event(), []

    def kill():
        while not ending.wait(chance.uniform(1, 2)):
            with suppress(OSError, IndexError):
                killed.append(chance.choice(workers(folder)))
                os.kill(killed[-1], signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        ending.set()
        killer.join()


def all_ids(service, token):
    """The ids of all events in the feed."""
    ids, cursor = [], ""
    while True:
        parameters = {"limit": 1000, **({"after": cursor} if cursor else {})}
        headers = {"Authorization": f"Bearer {token}"}
        page = httpx.get(f"{service.url}/api/events", params=parameters, headers=headers, timeout=30).json()
        if not page["events"]:
            return ids
        ids += [one["id"] for one in page["events"]]
        cursor = page["cursor"]
