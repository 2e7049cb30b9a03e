"""Access tokens and failed sign-ins across gunicorn's workers, and across a restart."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from runtime.throttle import FREE
from tests.support.issuer import issuing
from tests.support.oauth_service import make_client
from tests.support.running_service import running

SECRET, CLIENT = make_client()
ENDING = make_client("ending")[1]
ENDING["secrets"][0]["expires"] = datetime.now(UTC) + timedelta(days=3)
FORM = {"grant_type": "client_credentials", "client_id": "entra-id", "client_secret": SECRET}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("oauth")


@pytest.fixture(scope="module")
def token(folder):
    """An access token of a service that has been stopped since."""
    with running(folder, clients=[CLIENT, ENDING]) as service:
        token = httpx.post(f"{service.url}/oauth2/token", data=FORM).json()["access_token"]
    (folder / "log").rename(folder / "first.log")
    return token


@pytest.fixture(scope="module")
def service(folder, token):
    with running(folder, clients=[CLIENT], server={"workers": 2}) as service:
        yield service


def test_tokens_survive_a_restart_and_work_in_every_worker(service, token):
    # Each request opens a connection, so the workers take turns.
    assert {service.send("GET", "/Users", token=token).status_code for _ in range(12)} == {200}


def test_the_workers_warn_once_of_a_secret_that_expires(token, folder):
    assert (folder / "first.log").read_text().count("of the client “name of ending” expires on ") == 1


def test_workers_count_failed_sign_ins_together(service):
    wrong = {**FORM, "client_id": "unknown"}
    answers = [httpx.post(f"{service.url}/oauth2/token", data=wrong).status_code for _ in range(FREE + 1)]
    assert answers == [401] * FREE + [429]


def test_a_slow_issuer_stops_nothing_else(tmp_path):
    with issuing() as issuer, running(tmp_path, clients=[issuer.client()]) as service, ThreadPoolExecutor(12) as pool:
        issuer.may_answer.clear()
        form = {"grant_type": "client_credentials", **issuer.form()}
        asked = [pool.submit(httpx.post, f"{service.url}/oauth2/token", data=form, timeout=30) for _ in range(12)]
        done = as_completed(asked)
        early = [next(done).result().status_code for _ in asked[1:]]
        assert service.send("GET", "/Users").status_code == 200
        issuer.may_answer.set()
        assert (early, next(done).result().status_code) == ([503] * 11, 200)


def test_no_secret_is_in_the_log_or_the_files(service, folder, token):
    httpx.post(f"{service.url}/oauth2/token", data={**FORM, "client_id": SECRET})
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "tinyscim.clients.json" for path in kept)
    for path in kept:
        text = path.read_bytes()
        assert SECRET.encode() not in text, path
        assert token.encode() not in text, path
