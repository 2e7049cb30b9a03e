"""Faults of the database while two hosts serve: lost connections, a killed server, a standby that takes over."""

import random
import threading
from contextlib import contextmanager

import pytest

from tests.support import postgres
from tests.support.hosts import WORKERS, started_workers, two_hosts, user_names
from tests.support.load import Load

pytestmark = pytest.mark.long

SECONDS = 10  # after which the service answers again
TERMINATIONS = 200
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tinyscim' AND pid <> pg_backend_pid()"
    " ORDER BY random() LIMIT {}"
)


@contextmanager
def kept(hosts):
    """Check that what was acknowledged meanwhile is there, once, and that no worker was replaced."""
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


@pytest.fixture
def primary():
    with postgres.running() as server:
        server.execute("CREATE DATABASE tinyscim")
        yield server


def test_terminated_connections_lose_nothing(primary, tmp_path):
    with two_hosts(tmp_path, primary.url("tinyscim")) as hosts, kept(hosts) as load:
        for _ in range(TERMINATIONS):
            primary.execute(TERMINATE.format(random.randint(1, 3)))
            threading.Event().wait(random.uniform(0, 0.05))
    assert load.statuses[201] > TERMINATIONS


def test_a_killed_server_loses_nothing_once_it_is_back(primary, tmp_path):
    with two_hosts(tmp_path, primary.url("tinyscim")) as hosts, kept(hosts) as load:
        for _ in range(3):
            primary.kill()
            primary.start()
            assert load.wait_for_answers() < SECONDS


def test_a_promoted_standby_has_all_that_was_acknowledged(primary, tmp_path):
    standby = primary.standby()
    try:
        one, other = primary.url("tinyscim"), standby.url("tinyscim")
        address = other.partition("@")[2].partition("/")[0]
        url = one.replace("/tinyscim", f",{address}/tinyscim?target_session_attrs=read-write")
        with two_hosts(tmp_path, url) as hosts, kept(hosts) as load:
            primary.kill()
            standby.promote()
            assert load.wait_for_answers() < SECONDS
    finally:
        standby.close()
