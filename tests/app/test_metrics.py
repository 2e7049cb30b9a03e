"""`/metrics` for Prometheus: what it counts, who may read it, and that several workers count together."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import tomlkit
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from config.edit import set_metrics_token
from config.tokens import new_token
from tests.support.running_service import running
from tests.support.serving import ROOT


def samples(text):
    """Each sample of an answer, by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def metered(make_scim):
    return make_scim(metrics={"enabled": True})


def scrape(scim, **headers):
    return scim.app.test_client().get("/metrics", headers=headers)


def read(scim):
    answer = scrape(scim)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain; version=")
    return samples(answer.text)


def test_requests_are_counted_by_method_type_and_status(metered):
    user = metered.create_user()
    metered.read(f"/Users/{user['id']}")
    metered.read(f"/users/{user['id']}")
    metered.get("/Groups/none")
    metered.get("/Nowhere")
    found = read(metered)
    assert found["tinyscim_request_seconds_count", "201", "POST", "User"] == 1
    assert found["tinyscim_request_seconds_count", "200", "GET", "User"] == 2
    assert found["tinyscim_request_seconds_count", "404", "GET", "Group"] == 1
    assert found["tinyscim_request_seconds_count", "404", "GET", "other"] == 1
    assert found["tinyscim_request_seconds_bucket", "+Inf", "201", "POST", "User"] == 1


def test_failures_are_counted_by_cause(metered):
    user = metered.create_user()
    metered.post("/Users", {"schemas": user["schemas"], "userName": user["userName"]})
    metered.query("/Users", filter="nonsense")
    metered.get("/Users/none")
    metered.get("/Users", headers={"Authorization": "Bearer wrong"})
    metered.get("/Users", headers={"Authorization": None})
    found = read(metered)
    causes = ("uniqueness", "invalidFilter", "404", "token unknown", "token missing")
    assert [found["tinyscim_failures_total", cause] for cause in causes] == [1] * 5


def test_what_a_client_invents_makes_no_label(metered):
    for number in range(5):
        metered.request(f"M{number}", f"/Type{number}/x", headers={"User-Agent": f"agent{number}"})
    found = [key for key in read(metered) if key[0] == "tinyscim_request_seconds_count"]
    assert found == [("tinyscim_request_seconds_count", "404", "other", "other")]


def test_users_groups_and_expiries_are_read_at_each_scrape(make_scim):
    _, table = new_token("soon")
    table["expires"] = table["created"].replace(year=table["created"].year + 1)
    scim = make_scim(metrics={"enabled": True}, clients=[], revoked_tokens=[])
    dated = create_app({"tokens": [table], "metrics": {"enabled": True}}, store=scim.app.extensions["tinyscim"].store)
    scim.create_user()
    scim.create_user()
    scim.create_group()
    found = samples(dated.test_client().get("/metrics").text)
    assert found["tinyscim_resources", "User"] == 2
    assert found["tinyscim_resources", "Group"] == 1
    assert found["tinyscim_store_read_only",] == 0
    expiry = found["tinyscim_credential_expiry_timestamp_seconds", "The token “soon”"]
    assert expiry == table["expires"].timestamp()


@pytest.mark.parametrize("headers", [
    {"X-Forwarded-For": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"Via": "1.1 proxy"},
    {"Host": "scim.example.com"},
])  # fmt: skip
def test_without_a_token_only_this_machine_may_read(metered, headers):
    answer = scrape(metered, **headers)
    assert (answer.status_code, "flask metrics token" in answer.text) == (403, True)
    assert "tinyscim_" not in answer.text
    far = metered.app.test_client().get("/metrics", environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert far.status_code == 403


def test_with_a_token_every_client_needs_it_and_no_scim_token_serves(make_scim):
    text, table = new_token("metrics")
    scim = make_scim(metrics={"enabled": True, "sha256": table["sha256"]})
    assert scrape(scim).status_code == 401
    assert scrape(scim, Authorization=f"Bearer {scim.token}").status_code == 401
    assert scrape(scim, Authorization=text).status_code == 401
    answer = scrape(scim, Authorization=f"Bearer {text}", Host="scim.example.com")
    assert answer.status_code == 200
    assert scim.get("/Users", headers={"Authorization": f"Bearer {text}"}).status == 401


def test_it_is_off_by_default_and_then_nothing_of_it_is_imported(scim):
    assert scim.app.test_client().get("/metrics").status_code == 404
    code = "import sys, app; app.create_app({}); sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_without_the_package_the_service_says_what_to_install(config_path):
    code = "import sys, app; sys.modules['prometheus_client'] = None; app.create_app()"
    set_metrics_token(config_path)
    environment = {**os.environ, "SCIM_CONFIG": str(config_path)}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    assert "pip install prometheus-client" in run.stderr


def test_the_command_creates_a_token_of_which_only_the_hash_is_stored(flask, config_path):
    first, second = flask("metrics", "token"), flask("metrics", "token")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "Restart the service" in first.stderr
    assert second.stderr == ""
    table = tomlkit.parse(config_path.read_text())["metrics"]
    assert table["enabled"] is True
    assert len(table["sha256"]) == 64
    assert first.stdout.strip() not in config_path.read_text()
    assert second.stdout.startswith("tscim_")


def prefix(config_path):
    return f"tinyscim-{hashlib.sha256(str(config_path).encode()).hexdigest()[:16]}"


def folders_of_counts(config_path):
    return list(Path("/dev/shm").glob(f"{prefix(config_path)}-*"))


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="this machine has no /dev/shm")
def test_workers_count_together_and_a_restart_begins_anew(tmp_path):
    config_path = tmp_path / "config.toml"
    left = Path("/dev/shm") / f"{prefix(config_path)}-left"
    left.mkdir(0o700)  # of a start that was killed
    (left / "counter_1.db").touch()
    for _ in range(2):
        with running(tmp_path, metrics={"enabled": True}, server={"workers": 2}) as service:
            for _ in range(20):
                with httpx.Client() as connection:  # a new connection, which either worker may accept
                    connection.get(f"{service.url}/api/scim/v2/Users")
            answers = [samples(httpx.get(f"{service.url}/metrics").text) for _ in range(5)]
            counts = {found["tinyscim_request_seconds_count", "401", "GET", "User"] for found in answers}
            assert counts == {20}
            assert answers[0]["tinyscim_journal_bytes",] > 0
            assert answers[0]["tinyscim_last_backup_timestamp_seconds",] == 0
            (folder,) = folders_of_counts(config_path)
            assert folder.stat().st_mode & 0o777 == 0o700
        assert folders_of_counts(config_path) == []


def test_the_dashboard_asks_only_for_metrics_that_there_are(metered):
    metered.get("/Users/none")
    _, table = new_token("dated")
    table["expires"] = table["created"]
    text = create_app({"tokens": [table], "metrics": {"enabled": True}}).test_client().get("/metrics").text
    known = {name for name, *_ in [*read(metered), *samples(text)]}
    known |= {"tinyscim_journal_bytes", "tinyscim_last_backup_timestamp_seconds"}  # of a service with files, see above
    dashboard = json.loads((ROOT / "packaging" / "grafana" / "tinyscim.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for expression in expressions for name in re.findall(r"tinyscim_\w+", expression)}
    assert asked <= known
    assert asked >= {name for name in known if not name.endswith(("_created", "_sum"))}
