"""Throttling of sign-in attempts, across workers and networks."""

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
from runtime import throttle
from runtime.throttle import FORGOTTEN_AFTER, FREE, KNOWN_FOR, MAX_WAIT, UNKNOWN_FREE, UNKNOWN_INTERVAL, Throttle
from storage.memory import MemoryStore
from tests.support.panel_browser import PASSWORD, Browser, Page, fields
from tests.support.running_service import running
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


def test_workers_count_together(anonymous):
    other = Browser(create_app(anonymous.path, store=MemoryStore()), anonymous.path, anonymous.token)
    statuses = [browser.sign_in("wrong").status for browser in (anonymous, other) * FREE]
    assert statuses == [401] * FREE + [429] * FREE


def test_two_workers_of_gunicorn_count_together(tmp_path):
    with running(tmp_path, server={"workers": 2}) as service:

        def attempt(password):
            with httpx.Client(base_url=service.url) as client:  # each on a connection of its own
                page = client.get("/panel/sign-in")
                given = {"csrf_token": page.text.partition('name="csrf_token" value="')[2].partition('"')[0]}
                return client.post("/panel/sign-in", data={**given, "password": password}).status_code

        statuses = [attempt("wrong") for _ in range(2 * FREE - 1)]
    assert statuses[:FREE] == [401] * FREE
    assert 429 in statuses[FREE:]  # at once, unless the attempts are as slow as the waits, which double


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
    assert sign_in("wrong", shared).status == 401  # the count has restarted


def test_unknown_networks_share_one_limit(shared, clock):
    workers = shared(), shared()
    waits = [workers[number % 2].attempt(f"10.0.{number}.1") for number in range(UNKNOWN_FREE + 5)]
    assert waits == [0] * UNKNOWN_FREE + [UNKNOWN_INTERVAL] * 5
    clock.now += UNKNOWN_INTERVAL
    assert [workers[number].attempt("2001:db8::1") for number in (0, 1)] == [0, UNKNOWN_INTERVAL]
    clock.now += UNKNOWN_FREE * UNKNOWN_INTERVAL
    assert [workers[0].attempt(f"10.1.{number}.1") for number in range(UNKNOWN_FREE)] == [0] * UNKNOWN_FREE


def test_a_known_network_is_not_throttled_with_unknown_ones(shared, clock):
    worker = shared()
    worker.attempt("192.0.2.1")
    worker.forgive("192.0.2.1")
    for number in range(UNKNOWN_FREE):
        assert worker.attempt(f"10.0.{number}.1") == 0
    assert worker.attempt("192.0.2.9") > 0
    assert [shared().attempt("192.0.2.1") for _ in range(FREE)] == [0] * FREE
    assert shared().attempt("192.0.2.1") == 1  # it has a bound of its own
    clock.now += KNOWN_FOR
    for number in range(UNKNOWN_FREE):
        worker.attempt(f"10.0.{number}.1")
    assert worker.attempt("192.0.2.1") > 0


def test_successful_sign_ins_do_not_count(shared):
    worker = shared()
    for number in range(3 * UNKNOWN_FREE):
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
        '{"unknown": {"": [1e999, 0]}}',
        f'{{"known": {{"192.0.2.1": [0, 1{"0" * 400}]}}}}',
        "[" * 100_000,
        f'{{"failures": {{"{"x" * 2_000_000}": [1, 1]}}}}',
        "\ud800",
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(shared, tmp_path, text):
    worker = shared()
    assert worker.attempt("192.0.2.1") == 0
    path = tmp_path / "data" / "signin.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert [worker.attempt("192.0.2.1") for _ in range(FREE)] == [0] * (FREE - 1) + [1]
    assert shared().attempt("192.0.2.1") == 1
    assert path.stat().st_size < 1_000


@pytest.mark.parametrize("number", [0, 1e300, -5])
def test_times_in_the_future_are_limited(shared, tmp_path, clock, number):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "signin.json").write_text(f'{{"failures": {{"192.0.2.1": [{number}, {clock.now * 2}]}}}}')
    assert shared().attempt("192.0.2.1") <= MAX_WAIT
    clock.now += MAX_WAIT
    assert shared().attempt("192.0.2.1") == 0


def test_the_file_stays_small(shared, tmp_path, clock):
    worker = shared()
    for number in range(3_000):
        clock.now += UNKNOWN_INTERVAL
        worker._failures[f"10.{number // 250}.{number % 250}.1"] = throttle.Count(1, clock.now)
    worker.attempt("192.0.2.1")
    assert len(shared()._read(tmp_path / "data" / "signin.json")["failures"]) <= 2_049


def test_a_held_lock_does_not_delay_sign_in(shared, tmp_path, clock, caplog, monkeypatch):
    monkeypatch.setattr(throttle, "_LOCK_TIMEOUT", 0.0)
    worker = shared()
    worker.attempt("192.0.2.1")
    clock.now += 0.25
    with caplog.at_level(logging.ERROR), locked(tmp_path / "data" / "signin.json.lock"):
        waits = [worker.attempt("192.0.2.1") for _ in range(FREE)]
    assert waits == [0] * (FREE - 1) + [1]
    assert "failed sign-ins are counted in this worker only" in caplog.text
    assert worker.attempt("192.0.2.1") == 1
    assert shared().attempt("192.0.2.1") == 1  # the others know by now what it counted alone


def test_a_file_that_cannot_be_written_still_slows_down(tmp_path, clock, caplog):
    (tmp_path / "data").write_text("a file where the folder should be")
    worker = Throttle(clock, tmp_path / "data" / "signin.json")
    assert [worker.attempt("192.0.2.1") for _ in range(FREE + 1)] == [0] * FREE + [1]
    assert "failed sign-ins are counted in this worker only" in caplog.text


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
        "import sys, time, pathlib; from runtime.throttle import Throttle;"
        "one = Throttle(lambda: 1e6, pathlib.Path(sys.argv[1]));"
        "print([one.attempt('192.0.2.1') for _ in range(5)].count(0))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "signin.json")]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(process.communicate(timeout=60)[0]) for process in running) == FREE


def test_a_form_without_a_csrf_token_is_not_counted(anonymous):
    for _ in range(2 * FREE):
        assert anonymous.client.post("/panel/sign-in", data={"password": "x"}).status_code == 400
    page = Page(
        anonymous.client.post("/panel/sign-in", data={**fields(anonymous.get("/panel/sign-in")), "password": "x"})
    )
    assert page.status == 401


def test_the_file_is_beside_the_data_and_has_no_password(anonymous):
    anonymous.sign_in("my secret guess")
    anonymous.sign_in()
    text = (anonymous.path.parent / "data" / "tinyscim.signin.json").read_text()
    assert "127.0.0.1" in text
    assert "guess" not in text
    assert PASSWORD not in text
    assert tomlkit.parse(anonymous.path.read_text())["panel"]["secret"] not in text


def test_waiting_doubles_up_to_a_limit_and_is_forgotten():
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE):
        assert throttle.attempt("192.0.2.1") == 0
    waits = []
    for _ in range(12):
        waits.append(throttle.attempt("192.0.2.1"))
        clock.now += waits[-1]
        assert throttle.attempt("192.0.2.1") == 0
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == MAX_WAIT
    assert throttle.attempt("192.0.2.2") == 0
    clock.now += FORGOTTEN_AFTER + 1
    assert [throttle.attempt("192.0.2.1") for _ in range(FREE)] == [0] * FREE


def test_an_ipv6_network_is_throttled_as_one_client():
    throttle = Throttle(Clock())
    for number in range(FREE):
        assert throttle.attempt(f"2001:db8::{number + 1:x}") == 0
    assert throttle.attempt("2001:db8::ffff") > 0
    assert throttle.attempt("2001:db8:0:1::1") == 0


def test_many_addresses_take_bounded_memory():
    throttle = Throttle(Clock())
    for number in range(5000):
        throttle.attempt(f"10.0.{number // 250}.{number % 250}")
    assert len(throttle._failures) <= 2048
