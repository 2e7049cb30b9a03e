"""The PostgreSQL servers that other tests run."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import database, running

pytestmark = pytest.mark.long


def test_what_was_committed_survives_the_kill_and_another_start_of_a_server():
    with running() as server:
        server.execute("CREATE TABLE kept (number int)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            server.execute("SELECT 1")
        server.start()
        assert server.execute("SELECT count(*) FROM kept") == [(0,)]


def test_a_standby_takes_over_from_its_killed_primary():
    with running() as primary:
        standby = primary.standby()
        try:
            primary.execute("CREATE TABLE kept (number int)")
            primary.kill()
            standby.promote()
            standby.execute("INSERT INTO kept VALUES (1)")
        finally:
            standby.close()


def test_each_database_is_empty_and_gone_afterwards():
    with database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        with database() as other, psycopg.connect(other) as connection:
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_killed_test_run_leaves_neither_server_nor_files():
    code = "import tests.support.postgres as p, time; print(p.Server().folder, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        folder = Path(run.stdout.readline().strip())
        assert folder.exists()
        run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
