"""The keys of issuers: when they are fetched, what is accepted as an answer, and how workers share them."""

import json
import logging
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from oauth import keys
from oauth.keys import MAX_BYTES, PAUSE, STALE, FetchError, KeyCache, UnknownKey
from storage.tinydb_store import TinyDBStore
from tests.support.issuer import issuing, make_key
from tests.support.oauth_service import OAuthService


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def issuer():
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def worker(tmp_path, clock):
    """Make the cache of one more worker."""
    return lambda: KeyCache(tmp_path / "data" / "keys.json", clock)


def knows(cache, issuer, id):
    try:
        return cache.find(issuer.url, id)["kid"] == id
    except (UnknownKey, FetchError):
        return False


@contextmanager
def fetching(cache, issuer):
    """Run the context while the cache waits for the issuer's keys."""
    issuer.asked.clear()
    issuer.may_answer.clear()
    thread = threading.Thread(target=cache.refresh, args=(issuer.url,))
    thread.start()
    assert issuer.asked.wait(30)
    yield
    was_fetching = thread.is_alive()
    issuer.may_answer.set()
    thread.join()
    assert was_fetching


def test_known_keys_are_fetched_once_for_all_workers(worker, issuer):
    assert all(knows(worker(), issuer, "key-1") for _ in range(3))
    assert issuer.requests == 1


def test_an_unknown_key_is_looked_for_at_most_once_a_minute(worker, issuer, clock):
    assert knows(worker(), issuer, "key-1")
    issuer.keys.append(make_key("key-2"))
    assert [knows(worker(), issuer, "key-2") for _ in range(5)] == [False] * 5
    assert issuer.requests == 1
    clock.now += PAUSE
    assert [knows(worker(), issuer, id) for id in ("key-2", "key-1", "key-3", "key-3")] == [True, True, False, False]
    assert issuer.requests == 2


def test_without_the_network_the_cached_keys_serve(worker, issuer, clock, caplog):
    assert knows(worker(), issuer, "key-1")
    issuer.status = 503
    clock.now += 7 * STALE
    assert knows(worker(), issuer, "key-1")
    assert not knows(worker(), issuer, "key-2")
    assert "the answer's status is 503, not 200" in caplog.text


def test_a_withdrawn_key_is_forgotten_after_a_day(worker, issuer, clock):
    assert knows(worker(), issuer, "key-1")
    issuer.keys = [make_key("key-2")]
    clock.now += STALE + 1
    assert not knows(worker(), issuer, "key-1")
    assert knows(worker(), issuer, "key-2")


@pytest.mark.parametrize("is_same_worker", [True, False])
def test_a_slow_issuer_delays_one_request_alone(worker, issuer, clock, is_same_worker):
    first = worker()
    second = first if is_same_worker else worker()
    assert knows(first, issuer, "key-1")
    clock.now += STALE + 1
    with fetching(first, issuer), issuing() as other:
        assert knows(second, issuer, "key-1")
        with pytest.raises(FetchError, match="another request is fetching them"):
            second.find(issuer.url, "key-2")
        assert knows(second, other, "key-1")
    assert issuer.requests == 2


def test_the_minute_begins_when_a_fetch_ends(worker, issuer, clock, monkeypatch):
    def slow(url):
        clock.now += PAUSE + 1
        raise FetchError("no answer")

    monkeypatch.setattr(keys, "fetch", slow)
    assert not knows(worker(), issuer, "key-1")
    began = clock.now
    assert not knows(worker(), issuer, "key-1")
    assert clock.now == began


def test_keys_that_were_fetched_in_the_future_are_fetched_again(worker, issuer, clock):
    assert knows(worker(), issuer, "key-1")
    clock.now -= 10
    assert knows(worker(), issuer, "key-1")
    assert issuer.requests == 2


def test_the_keys_of_another_issuer_stay(worker, issuer):
    with issuing() as other:
        other.keys = [make_key("key-2")]
        assert knows(worker(), issuer, "key-1")
        assert knows(worker(), other, "key-2")
        assert not knows(worker(), issuer, "key-2")
    assert knows(worker(), issuer, "key-1")


@pytest.mark.parametrize(
    ("status", "headers", "body", "problem"),
    [
        (404, {}, b"", "status is 404"),
        (302, {"Location": "https://intruder.example/keys"}, b"", "status is 302"),
        (200, {}, b" " * (MAX_BYTES + 1), "more than 500000 bytes"),
        (200, {}, b"", "not a set of keys"),
        (200, {}, b"[]", "not a set of keys"),
        (200, {}, b'{"keys": 5}', "not a set of keys"),
        (200, {}, b"[" * 100_000, "not a set of keys"),
        (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08", "not a set of keys"),
    ],
)
def test_an_answer_that_is_not_a_key_set_is_reported(worker, issuer, status, headers, body, problem):
    issuer.status, issuer.headers, issuer.body = status, headers, body
    with pytest.raises(FetchError, match=problem):
        worker().find(issuer.url, "key-1")


def test_a_server_that_does_not_listen_is_reported(worker):
    with pytest.raises(FetchError, match="could not connect"):
        worker().find("http://127.0.0.1:9/keys", "key-1")


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["headers", "body"])
def test_an_answer_that_drips_is_given_up(monkeypatch, beginning):
    monkeypatch.setattr(keys, "TIMEOUT", 0.3)
    is_over = threading.Event()

    def drip(listener):
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(beginning)
            for _ in range(100):
                if not is_over.wait(0.05):
                    connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        with pytest.raises(FetchError, match="no complete answer within"):
            keys.fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/keys")
        is_over.set()
        thread.join()


def test_keys_that_cannot_verify_an_assertion_are_left_out(worker, issuer):
    public = make_key("key-1").as_dict(private=False)
    listed = [
        {**public, "kid": "encrypts", "use": "enc"},
        {**public, "kid": "short", "n": public["n"][:171]},
        make_key("secret", "oct").as_dict(),
        {"kty": "AKP", "kid": "later", "pub": "x"},
        {**public, "kid": ["list"]},
        {**public, "kid": "damaged", "n": 5},
        {**public, "kid": "without e", "e": None},
        {"kty": "EC", "kid": "off the curve", "crv": "P-256", "x": "AA", "y": "AA"},
        "text",
        {name: value for name, value in public.items() if name != "kid"},
        public,
    ]
    issuer.body = json.dumps({"keys": listed}).encode()
    assert keys.fetch(issuer.url).keys() == {"key-1"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "[" * 100_000, '{"URL": 1}', '{"URL": {"nope": 1}}', '{"URL": {"keys": 5}}'),
        '{"URL": {"keys": 5, "fetched": 1e6, "attempted": 0, "problem": ""}}',
        '{"URL": {"keys": {"key-1": 5}, "fetched": 1e6, "attempted": 0, "problem": ""}}',
        '{"URL": {"keys": {}, "fetched": 0, "attempted": "now", "problem": ""}}',
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(worker, issuer, tmp_path, text):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys.json").write_text(text.replace("URL", issuer.url))
    assert knows(worker(), issuer, "key-1")
    assert knows(worker(), issuer, "key-1")
    assert issuer.requests == 1


def test_a_folder_that_cannot_be_written_only_costs_more_fetches(tmp_path, clock, issuer, caplog):
    (tmp_path / "data").write_text("a file where the folder should be")
    cache = KeyCache(tmp_path / "data" / "keys.json", clock)
    assert knows(cache, issuer, "key-1")
    assert knows(cache, issuer, "key-1")
    assert issuer.requests == 1
    assert "each worker fetches the keys" in caplog.text


def test_two_apps_share_keys_and_used_assertions(tmp_path, issuer, caplog):
    first, second = (
        OAuthService(issuer.client(), folder=tmp_path, store=TinyDBStore(tmp_path / "data" / "tinyscim.json"))
        for _ in range(2)
    )
    assertion = issuer.assertion(jti="one")
    with caplog.at_level(logging.INFO):
        assert first.ask(issuer.form(assertion)).status_code == 200
        assert second.ask(issuer.form(assertion)).status_code == 401
    assert "it was used before" in caplog.text
    assert second.ask(issuer.form()).status_code == 200
    assert issuer.requests == 1
    assert assertion not in "".join(path.read_text() for path in (tmp_path / "data").glob("*.json"))
