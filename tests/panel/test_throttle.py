"""Guessing the password is slowed down by all workers together, and from all networks together."""

import logging
import subprocess
import sys
import threading
import time

import httpx
import pytest
import tomlkit

from app import create_app
from fileio.locks import locked
from panel import throttle
from panel.throttle import FREE, KNOWN_FOR, LONGEST, STRANGERS_FREE, STRANGERS_PAUSE, Throttle
from storage.memory import MemoryStore
from tests.browser.running import running
from tests.panel.conftest import PASSWORD, Browser, Page, fields
from tests.support.serving import ROOT


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shared(tmp_path, clock):
    """Make the throttle of one more worker."""
    return lambda: Throttle(clock, tmp_path / "data" / "signin.json")


def test_workers_count_together(stranger):
    other = Browser(create_app(stranger.path, store=MemoryStore()), stranger.path, stranger.token)
    statuses = [browser.sign_in("wrong").status for browser in (stranger, other) * FREE]
    assert statuses == [401] * FREE + [429] * FREE


def test_two_workers_of_gunicorn_count_together(tmp_path):
    with running(tmp_path, server={"workers": 2}) as service:

        def attempt(password):
            with httpx.Client(base_url=service.url) as client:  # each on a connection of its own
                page = client.get("/panel/sign-in")
                given = {"csrf_token": page.text.partition('name="csrf_token" value="')[2].partition('"')[0]}
                return client.post("/panel/sign-in", data={**given, "password": password}).status_code

        statuses = [attempt("wrong") for _ in range(FREE + 1)]
    assert statuses == [401] * FREE + [429]


def test_a_restart_forgets_no_failure(shared):
    assert [shared().attempt("192.0.2.1") for _ in range(FREE)] == [0] * FREE
    assert shared().attempt("192.0.2.1") == 1


def test_the_right_password_clears_the_count_of_every_worker(shared):
    first, second = shared(), shared()
    for _ in range(FREE):
        first.attempt("192.0.2.1")
        second.attempt("192.0.2.2")
    first.forgive("192.0.2.1")
    assert second.attempt("192.0.2.1") == 0
    assert first.attempt("192.0.2.2") == 1


def test_from_an_address_that_others_abuse_the_right_password_waits_as_well(make_browser):
    browser = make_browser(server={"trusted_proxies": 1})
    shared, own = ({"X-Forwarded-For": address} for address in ("192.0.2.1", "192.0.2.2"))

    def sign_in(password, headers):
        return browser.post("/panel/sign-in", {"password": password}, headers=headers)

    assert [sign_in("wrong", shared).status for _ in range(FREE)] == [401] * FREE
    page = sign_in(PASSWORD, shared)
    assert (page.status, page.headers["Retry-After"]) == (429, "1")
    assert "Try again in 1 second." in page.text
    assert sign_in(PASSWORD, own).status == 302
    time.sleep(1.1)
    assert sign_in(PASSWORD, shared).status == 302
    assert sign_in("wrong", shared).status == 401  # the count has begun anew


def test_strangers_share_one_bound(shared, clock):
    workers = shared(), shared()
    waits = [workers[number % 2].attempt(f"10.0.{number}.1") for number in range(STRANGERS_FREE + 5)]
    assert waits == [0] * STRANGERS_FREE + [STRANGERS_PAUSE] * 5
    clock.now += STRANGERS_PAUSE
    assert [workers[number].attempt("2001:db8::1") for number in (0, 1)] == [0, STRANGERS_PAUSE]
    clock.now += STRANGERS_FREE * STRANGERS_PAUSE
    assert [workers[0].attempt(f"10.1.{number}.1") for number in range(STRANGERS_FREE)] == [0] * STRANGERS_FREE


def test_a_network_that_knew_the_password_does_not_wait_for_strangers(shared, clock):
    worker = shared()
    worker.attempt("192.0.2.1")
    worker.forgive("192.0.2.1")
    for number in range(STRANGERS_FREE):
        assert worker.attempt(f"10.0.{number}.1") == 0
    assert worker.attempt("192.0.2.9") > 0
    assert [shared().attempt("192.0.2.1") for _ in range(FREE)] == [0] * FREE
    assert shared().attempt("192.0.2.1") == 1  # it has a bound of its own
    clock.now += KNOWN_FOR
    for number in range(STRANGERS_FREE):
        worker.attempt(f"10.0.{number}.1")
    assert worker.attempt("192.0.2.1") > 0


def test_signing_in_often_uses_nothing_up(shared):
    worker = shared()
    for number in range(3 * STRANGERS_FREE):
        assert worker.attempt(f"10.0.{number % 200}.1") == 0
        worker.forgive(f"10.0.{number % 200}.1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"failures": []}',
        '{"failures": {"192.0.2.1": 1}}',
        '{"failures": {"192.0.2.1": ["x", 1]}}',
        '{"failures": {"192.0.2.1": [NaN, Infinity]}}',
        '{"failures": {"192.0.2.1": [1, 2, 3]}}',
        '{"strangers": {"": [1e999, 0]}}',
        f'{{"known": {{"192.0.2.1": [0, 1{"0" * 400}]}}}}',
        "[" * 100_000,
        f'{{"failures": {{"{"x" * 2_000_000}": [1, 1]}}}}',
        "\ud800",
    ],
)
def test_a_damaged_file_says_nothing_and_is_written_anew(shared, tmp_path, text):
    worker = shared()
    assert worker.attempt("192.0.2.1") == 0
    path = tmp_path / "data" / "signin.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert [worker.attempt("192.0.2.1") for _ in range(FREE)] == [0] * (FREE - 1) + [1]
    assert shared().attempt("192.0.2.1") == 1
    assert path.stat().st_size < 1_000


@pytest.mark.parametrize("number", [0, 1e300, -5])
def test_a_file_from_the_future_makes_nobody_wait_for_ever(shared, tmp_path, clock, number):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "signin.json").write_text(f'{{"failures": {{"192.0.2.1": [{number}, {clock.now * 2}]}}}}')
    assert shared().attempt("192.0.2.1") <= LONGEST
    clock.now += LONGEST
    assert shared().attempt("192.0.2.1") == 0


def test_the_file_stays_small(shared, tmp_path, clock):
    worker = shared()
    for number in range(3_000):
        clock.now += STRANGERS_PAUSE
        worker._failures[f"10.{number // 250}.{number % 250}.1"] = throttle.Count(1, clock.now)
    worker.attempt("192.0.2.1")
    assert len(shared()._read(tmp_path / "data" / "signin.json")["failures"]) <= 2_049


def test_a_process_that_holds_the_lock_holds_up_no_sign_in(shared, tmp_path, clock, caplog, monkeypatch):
    monkeypatch.setattr(throttle, "_PATIENCE", 0.0)
    worker = shared()
    worker.attempt("192.0.2.1")
    clock.now += 0.25
    with caplog.at_level(logging.ERROR), locked(tmp_path / "data" / "signin.json.lock"):
        waits = [worker.attempt("192.0.2.1") for _ in range(FREE)]
    assert waits == [0] * (FREE - 1) + [1]
    assert "this worker counts failed sign-ins alone" in caplog.text
    assert worker.attempt("192.0.2.1") == 1
    assert shared().attempt("192.0.2.1") == 1  # the others know by now what it counted alone


def test_a_file_that_cannot_be_written_still_slows_down(tmp_path, clock, caplog):
    (tmp_path / "data").write_text("a file where the folder should be")
    worker = Throttle(clock, tmp_path / "data" / "signin.json")
    assert [worker.attempt("192.0.2.1") for _ in range(FREE + 1)] == [0] * FREE + [1]
    assert "this worker counts failed sign-ins alone" in caplog.text


def test_attempts_at_the_same_time_are_all_counted(shared):
    workers = [shared() for _ in range(3)]
    waits = []

    def guess(worker):
        waits.extend(worker.attempt("192.0.2.1") for _ in range(5))

    threads = [threading.Thread(target=guess, args=(worker,)) for worker in workers * 2]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(waits) == 30
    assert waits.count(0) == FREE


def test_processes_are_counted_together(tmp_path):
    code = (
        "import sys, time, pathlib; from panel.throttle import Throttle;"
        "one = Throttle(lambda: 1e6, pathlib.Path(sys.argv[1]));"
        "print([one.attempt('192.0.2.1') for _ in range(5)].count(0))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "signin.json")]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(process.communicate(timeout=60)[0]) for process in running) == FREE


def test_no_failure_is_counted_for_a_form_from_elsewhere(stranger):
    for _ in range(2 * FREE):
        assert stranger.client.post("/panel/sign-in", data={"password": "x"}).status_code == 400
    page = Page(
        stranger.client.post("/panel/sign-in", data={**fields(stranger.get("/panel/sign-in")), "password": "x"})
    )
    assert page.status == 401


def test_the_file_is_beside_the_data_and_has_no_password(stranger):
    stranger.sign_in("my secret guess")
    stranger.sign_in()
    text = (stranger.path.parent / "data" / "tinyscim.signin.json").read_text()
    assert "127.0.0.1" in text
    assert "guess" not in text
    assert PASSWORD not in text
    assert tomlkit.parse(stranger.path.read_text())["panel"]["secret"] not in text
