"""Input and output files that cannot be used, and other wrong options."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from entra.demo import generate
from tests.support.emulator_cli import ROOT, run
from tests.support.emulator_schema import exported


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sync", "none.json", "--url", "http://x/scim"), "'none.json' does not exist"),
        (
            ("sync", "{tenant}", "--url", "nowhere"),
            "'nowhere' has no scheme or host. Give a full URL, for example http://127.0.0.1:8000/api/scim/v2",
        ),
        (("sync", "{text}", "--url", "http://x/scim"), "is not JSON"),
        (("sync", "{empty}", "--url", "http://x/scim"), '"users" list'),
        (("sync", "{tenant}", "--url", "http://x/scim", "--state", "{text}"), "not a state file"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--state", "{empty}"), "not a state file"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--mapping", "{text}"), "not JSON"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--mapping", "none"), "No such file"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--fault", "x"), "choose one of 429, 500, 503, timeout"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--fault", "429:x"), "between 0 and 1"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--roles", "complex", "--scope", "all"), "--scope all"),
        (("provision", "{tenant}", "unknown", "--url", "http://x/scim"), "no user or group 'unknown'"),
        (("provision", "{tenant}", "All Staff", "--member", "nobody", "--url", "http://x/scim"), "'nobody'"),
        (("provision", "{tenant}", "{user}", "--member", "{user}", "--url", "http://x/scim"), "--member needs a group"),
        (("provision", "{tenant}", "VPN Users", "--member", "{user}", "--url", "http://x/scim"), "is not a member of"),
        (("sync", "{unknown}", "--url", "http://x/scim"), 'line 3 has an unknown key "mobil". Did you mean "mobile"?'),
        (("validate", "http://x/scim", "--case", "none"), "unknown case 'none'"),
        (("validate", "http://x/scim", "--client-id", "x"), "--client-id and --federation need --token-endpoint."),
        (("validate", "http://x/scim", "--federation", "{tenant}"), "need --token-endpoint."),
        (("replay", "{text}", "--url", "http://x/scim"), "line 1 is not JSON"),
        (("schema", "{empty}"), "is not a schema exported from Entra"),
        (("schema", "{tenant}"), '"synchronizationRules"'),
        (("discover", "http://127.0.0.1:9/scim"), "Unreachable: could not connect: connection refused"),
    ],
)
def test_an_error_is_reported_in_one_sentence(arguments, message, tenant, tmp_path):
    files = {"tenant": tenant, "text": tmp_path / "text", "empty": tmp_path / "empty"}
    files["text"].write_text("not json")
    files["empty"].write_text("{}")
    files["unknown"] = tmp_path / "unknown"
    files["unknown"].write_text('{"users": [\n{"objectId": "1", "userPrincipalName": "a",\n"mobil": "1"}]}')
    outsider = next(u for u in generate(12, 2).of("User") if u.id not in generate(12, 2).of("Group")[1].members)
    result = run(*(str(a).format(**files, user=outsider.name) for a in arguments))
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "command",
    [
        "sync {tenant} --url {url} --state",
        "sync {tenant} --url {url} --log",
        "provision {tenant} x --url {url} --state",
        "validate {url} --junit",
        "validate {url} --json",
        "validate {url} --html",
        "discover {url} --json",
        "day {tenant} -o",
        "schema {tenant} -o",
    ],
)
def test_an_output_file_in_a_missing_folder_is_rejected_before_any_request(fresh, tenant, tmp_path, command):
    fresh.requests.clear()
    result = run(*command.format(tenant=tenant, url=fresh.url).split(), tmp_path / "none" / "file")
    assert result.exit_code == 2, result.output
    assert f"the folder '{tmp_path / 'none'}' does not exist" in result.output
    assert fresh.requests == []


@pytest.mark.parametrize("command", ["day {tenant} -o", "schema {schema} -o", "sync {tenant} --url {url} --log"])
def test_an_output_file_that_cannot_be_written_is_named(fresh, tenant, tmp_path, command):
    (tmp_path / "schema").write_text(json.dumps(exported()))
    arguments = command.format(tenant=tenant, schema=tmp_path / "schema", url=fresh.url).split()
    full, none = run(*arguments, "/dev/full"), run(*arguments, "")
    assert full.exit_code == 1, full.output
    assert full.output.splitlines()[-1].startswith("Error: ")
    assert full.output.endswith(": No space left on device\n")
    assert none.exit_code == 2
    assert none.output.endswith(": the file name is empty\n")


def test_a_full_disk_behind_standard_output_is_reported_once():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "entra", "demo"]
        demo = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert (demo.returncode, demo.stderr) == (1, "Error: output: No space left on device\n")
