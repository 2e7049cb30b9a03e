"""Faults of the database while two hosts serve: lost connections, a killed server, a standby that takes over."""

import random
import threading
from contextlib import ExitStack, contextmanager

import pytest

from config.tokens import new_signing_secret
from tests.support import postgres
from tests.support.hosts import WORKERS, kill, started_workers, two_hosts, user_names
from tests.support.load import Load
from tests.support.webhook_receiver import Reply, receiving

pytestmark = pytest.mark.long

SECONDS = 10  # after which the service answers again
TERMINATIONS = 200
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tinyscim' AND pid <> pg_backend_pid()"
    " ORDER BY random() LIMIT {}"
)


@pytest.fixture
def receiver():
    """An application to which the hosts post what changes."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def start(tmp_path, receiver, primary):
    """Start two hosts on a database, which post to the receiver."""
    webhook = {"name": "crm", "url": receiver.url, "types": [], "paused": False, "secrets": [new_signing_secret()[1]]}
    tables = {"events": {"enabled": True}, "webhooks": [webhook], "webhook_delivery": {"retries": [0] * 20}}
    begun = "SELECT value LIKE '%crm%' FROM tinyscim.states WHERE name = 'webhooks'"
    with ExitStack() as stack:

        def start(url):
            hosts = stack.enter_context(two_hosts(tmp_path, url, **tables))
            while primary.execute(begun, "tinyscim") != [(True,)]:
                threading.Event().wait(0.1)
            return hosts

        yield start


@contextmanager
def kept(hosts, receiver):
    """Check that what was acknowledged meanwhile is there once and was posted, and that no worker was replaced."""
    token = hosts[0].token
    with Load(hosts, token) as load:
        load.wait_for_answers()
        yield load
        load.wait_for_answers()
    assert load.statuses.keys() == {201, 503}  # the fault was seen, and how it was reported
    for host in hosts:
        names = user_names(host, token)
        assert len(names) == len(set(names))
        assert load.created.keys() <= set(names)
        assert started_workers(host) == WORKERS
    wait_for_posts(receiver, load)


def wait_for_posts(receiver, load):
    receiver.wait_for(lambda: set(load.created.values()) <= posted(receiver), seconds=60)


def posted(receiver):
    return {event["resource"]["id"] for event in receiver.events if event["type"] == "user.created"}


@pytest.fixture
def primary():
    with postgres.running() as server:
        server.execute("CREATE DATABASE tinyscim")
        yield server


def test_terminated_connections_lose_nothing(primary, start, receiver):
    with kept(start(primary.url("tinyscim")), receiver) as load:
        for _ in range(TERMINATIONS):
            primary.execute(TERMINATE.format(random.randint(1, 3)))
            threading.Event().wait(random.uniform(0, 0.05))
    assert load.statuses[201] > TERMINATIONS


def test_a_killed_server_loses_nothing_once_it_is_back(primary, start, receiver):
    with kept(start(primary.url("tinyscim")), receiver) as load:
        for _ in range(3):
            primary.kill()
            primary.start()
            assert load.wait_for_answers() < SECONDS


def test_a_promoted_standby_has_all_that_was_acknowledged(primary, start, receiver):
    standby = primary.standby()
    try:
        one, other = primary.url("tinyscim"), standby.url("tinyscim")
        address = other.partition("@")[2].partition("/")[0]
        url = one.replace("/tinyscim", f",{address}/tinyscim?target_session_attrs=read-write")
        with kept(start(url), receiver) as load:
            primary.kill()
            standby.promote()
            assert load.wait_for_answers() < SECONDS
    finally:
        standby.close()


def test_when_a_host_is_killed_the_other_one_serves_and_posts_what_is_left(primary, start, receiver):
    one, other = start(primary.url("tinyscim"))
    with Load([one, other], one.token) as load:
        load.wait_for_answers()
        receiver.wait(1)
        killed = threading.Event()
        receiver.reply = lambda _: Reply(act=lambda _: killed.wait(60))
        load.wait_for_answers()
    kill(one)
    receiver.reply = lambda _: Reply()
    killed.set()
    with Load([other], one.token, first=10_000) as more:
        more.wait_for_answers()
    wait_for_posts(receiver, load)
    wait_for_posts(receiver, more)
