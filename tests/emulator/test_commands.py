"""What each command does and prints."""

import json

import pytest

from entra.demo import generate
from entra.tenant import to_json
from tests.support import emulator_faults as faults
from tests.support.emulator_cli import run
from tests.support.emulator_endpoint import TOKEN, Endpoint
from tests.support.emulator_job import served
from tests.support.emulator_schema import exported


def test_demo_writes_a_tenant():
    result = run("demo", "--users", 5, "--groups", 1, "--seed", 3)
    assert result.exit_code == 0
    assert json.loads(result.output) == to_json(generate(5, 1, seed=3))


@pytest.mark.parametrize(("users", "groups", "scale"), [(3, 1, 1), (1, 0, 1), (30, 2, 30)])
def test_day_changes_a_small_tenant(tmp_path, users, groups, scale):
    for seed in range(3):
        path = tmp_path / f"{seed}.json"
        path.write_text(json.dumps(to_json(generate(users, groups, seed=seed))))
        result = run("day", path, "--seed", seed, "--scale", scale)
        assert result.exit_code == 0, result.output
        assert len(result.output.splitlines()) == 14 * scale


@pytest.mark.parametrize("more", [{}, {"mailNickname": 5}], ids=str)
def test_day_changes_a_tenant_with_required_attributes_only(tmp_path, more):
    path = tmp_path / "tenant.json"
    users = [{"objectId": f"u{n}", "userPrincipalName": f"u{n}@x.example", **more} for n in range(9)]
    path.write_text(json.dumps({"users": users, "groups": [{"objectId": "g", "displayName": "G"}]}))
    assert run("day", path, "--scale", 5).exit_code == 0


def test_sync_runs_an_initial_cycle_and_then_incremental_ones(fresh, tenant, tmp_path):
    state, log = tmp_path / "links.json", tmp_path / "log.jsonl"
    options = ("--url", fresh.url, "--state", state, "--rate", 0, "--log", log)
    first = run("sync", tenant, *options)
    assert first.exit_code == 0, first.output
    assert "initial cycle, dialect L" in first.output
    assert run("day", tenant).exit_code == 0
    second = run("sync", tenant, *options, "--flag", "-v")
    assert second.exit_code == 0, second.output
    assert "incremental cycle, dialect F" in second.output
    assert "userName: " in second.output
    assert len(log.read_text().splitlines()) > 12
    for text in (first.output, second.output, state.read_text(), log.read_text()):
        assert TOKEN not in text


def test_the_flag_in_the_url_selects_dialect_f(fresh, tenant):
    assert "dialect F" in run("sync", tenant, "--url", fresh.url + "?aadOptscim062020", "--rate", 0).output


def test_a_quarantine_exits_with_status_3(tenant):
    with served(faults.EmptySearchIs404()) as url:
        result = run("sync", tenant, "--url", url)
    assert result.exit_code == 3
    assert "EncounteredQuarantineException" in result.output


def test_errors_are_grouped_by_cause_and_exit_with_status_1(tenant):
    with served(faults.NoPatch()) as url:
        result = run("sync", tenant, "--url", url, "--rate", 0)
    assert result.exit_code == 1
    assert "Errors by cause" in result.output
    assert "returned 405: PATCH is not supported" in result.output


def test_provision_prints_each_request_and_response(fresh, tenant):
    name = generate(12, 2).of("User")[0].name
    result = run("provision", tenant, name, "All Staff", "--url", fresh.url)
    assert result.exit_code == 0, result.output
    assert "POST /Users" in result.output
    assert "-> 201" in result.output
    assert TOKEN not in result.output


def test_validate_writes_reports_and_exits_with_the_result(fresh, tmp_path):
    files = {name: tmp_path / name for name in ("junit", "json", "html")}
    options = [text for name, path in files.items() for text in (f"--{name}", path)]
    cases = [text for name in ("probe-users", "create", "null-update") for text in ("--case", name)]
    good = run("validate", fresh.url, "--rate", 0, *options, *cases)
    assert good.exit_code == 0, good.output
    assert all(path.stat().st_size > 300 for path in files.values())
    with served(faults.PlainJson()) as url:
        warned = run("validate", url, "--case", "content-type")
        strict = run("validate", url, "--case", "content-type", "--strict")
    assert (warned.exit_code, strict.exit_code) == (0, 1)
    assert "Fix: " in warned.output
    assert "probe-users" in run("validate", "--list").output


def test_discover_counts_accounts_and_replay_compares_responses(fresh, tenant, tmp_path):
    log = tmp_path / "log.jsonl"
    run("sync", tenant, "--url", fresh.url, "--rate", 0, "--log", log)
    result = run("discover", fresh.url, "--tenant", tenant, "--json", tmp_path / "found.json")
    assert "assigned" in result.output
    assert len(json.loads((tmp_path / "found.json").read_text())["assigned"]) == len(fresh.store["User"])
    with served(Endpoint()) as url:
        same = run("replay", log, "--url", url, "--rate", 0)
    assert same.exit_code == 0, same.output
    assert "0 responses differ" in same.output
    assert run("replay", log, "--url", fresh.url, "--rate", 0).exit_code == 1


def test_schema_adds_attributes_once(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(exported()))
    assert run("schema", path, "-o", path).exit_code == 0
    again = run("schema", path, "-o", path)
    assert "no changes: the schema already has everything" in again.output
    assert "immutable_id" in path.read_text()


def test_a_schema_that_cannot_be_serialised_is_not_written(tmp_path):
    path, output = tmp_path / "schema.json", tmp_path / "out.json"
    for odd in ("\ud800", float("nan"), float("inf")):
        path.write_text(json.dumps({**exported(), "id": odd}))
        result = run("schema", path, "-o", output)
        assert result.exit_code == 1
        assert "is not a schema exported from Entra: not JSON" in result.output
        assert not output.exists()
