"""Applications that follow a real service, while its workers and they themselves are killed."""

import json
import os
import random
import signal
import threading
import time

import httpx
import pytest

from tests.support.emulator_cli import run
from tests.support.follower import Follower
from tests.support.running_service import running
from tests.support.serving import workers
from tests.support.urns import GROUP, PATCH_OP, USER

EVENTS = {"enabled": True}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    store = {"path": "data.json", "compact_after": 10_000}
    with running(tmp_path_factory.mktemp("service"), events=EVENTS, store=store) as service:
        yield service


@pytest.fixture(scope="module")
def follower(service, tmp_path_factory):
    return Follower(service, tmp_path_factory.mktemp("follower"))


def create(service, name):
    return service.send("POST", "/Users", {"schemas": [USER], "userName": name, "active": True}).json()["id"]


def patch(service, path, *operations):
    answer = service.send("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)})
    assert answer.is_success, answer.text


def test_a_table_stays_equal_to_the_directory_though_its_program_is_killed(service, follower):
    ids = [create(service, f"user{number}") for number in range(10)]
    body = {"schemas": [GROUP], "displayName": "G", "members": [{"value": id} for id in ids]}
    group = service.send("POST", "/Groups", body).json()["id"]
    for turn in range(3):
        with follower.running():
            time.sleep(0.4)
            patch(service, f"/Users/{ids[turn]}", {"op": "Replace", "path": "title", "value": f"T{turn}"})
            patch(service, f"/Groups/{group}", {"op": "Replace", "path": "displayName", "value": f"G{turn}"})
            service.send("DELETE", f"/Users/{ids[-1 - turn]}")
        create(service, f"new{turn}")
    with follower.running():
        follower.wait_until_equal()


def test_a_program_that_was_away_for_too_long_takes_a_snapshot(service, follower):
    create(service, "before")
    with follower.running():
        follower.wait_until_equal()
    for name in ("data.json.journal.*", "data.json.log.*"):
        before, number = set(service.folder.glob(name)), 0
        while set(service.folder.glob(name)) <= before:  # until a compaction has begun, and then until it has ended
            create(service, f"{name} {(number := number + 1)}")
    for log in service.folder.glob("data.json.log.*"):
        log.unlink()
    with follower.running():
        follower.wait_until_equal()
    assert 'path="/api/events" status=410' in (service.folder / "log").read_text()


def test_a_waiting_request_learns_of_a_write_in_another_worker_and_of_the_end(service, follower):
    headers = {"Authorization": f"Bearer {follower.token}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=40) as client:
        cursor = client.get("/api/events", params={"limit": 1000}).json()["cursor"]
        answers = []

        def wait():
            params = {"after": cursor, "wait": 25}
            answers.append(httpx.get(f"{service.url}/api/events", params=params, headers=headers, timeout=40).json())

        threads = [threading.Thread(target=wait) for _ in range(12)]  # more than a worker runs at a time
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert httpx.get(f"{service.url}/healthz", timeout=5).status_code == 200
        ann = create(service, "waited-for")
        for thread in threads:
            thread.join(10)
        assert [answer["events"][0]["data"]["id"] for answer in answers] == [ann] * 12


def test_a_worker_that_is_told_to_end_does_not_wait_for_events(service, follower):
    headers = {"Authorization": f"Bearer {follower.token}"}
    cursor = httpx.get(f"{service.url}/api/snapshot", headers=headers).text.splitlines()[-1]
    parameters, answers = {"after": json.loads(cursor)["cursor"], "wait": 25}, []

    def wait():
        answers.append(httpx.get(f"{service.url}/api/events", params=parameters, headers=headers, timeout=40).json())

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    for worker in workers(service.folder):
        os.kill(worker, signal.SIGTERM)
    until = time.monotonic() + 12
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    assert [answer["events"] for answer in answers] == [[]] * 4


class Killer(threading.Thread):
    """Kills a worker of a service every now and then."""

    def __init__(self, service):
        super().__init__()
        self.service, self.done, self.count = service, threading.Event(), 0
        self.chance = random.Random(3)

    def run(self):
        while not self.done.wait(1 + self.chance.random()):
            if found := workers(self.service.folder):
                os.kill(self.chance.choice(found), signal.SIGKILL)
                self.count += 1


@pytest.mark.long
def test_a_table_is_equal_after_each_cycle_though_workers_are_killed(tmp_path):
    folder, tenant = tmp_path / "service", tmp_path / "tenant.json"
    folder.mkdir()
    tenant.write_text(run("demo", "--users", 1000, "--groups", 20).output)
    with running(folder, events=EVENTS, store={"path": "data.json", "compact_after": 500_000}) as service:
        follower = Follower(service, tmp_path)
        for cycle in range(2):
            killer = Killer(service)
            with follower.running():
                killer.start()
                said = run("sync", tenant, "--url", service.scim, "--rate", 0, token=service.token).output
                killer.done.set()
                killer.join()
                assert killer.count > 1, said
                if cycle == 0:
                    assert run("day", tenant, "--scale", 20).exit_code == 0
            with follower.running():
                follower.wait_until_equal()
            assert len(follower.table()[0]) > 900
