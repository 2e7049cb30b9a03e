"""The commands: what they print, what they refuse, and that Ctrl-C leaves a state to go on from."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from entra.cli import main
from entra.people import demo
from entra.state import State
from entra.tenant import to_json
from tests.emulator import broken
from tests.emulator.endpoint import TOKEN, Endpoint
from tests.emulator.helpers import served
from tests.emulator.test_schema import exported

ROOT = Path(__file__).parents[2]


def run(*arguments, token=TOKEN):
    environment = {"SCIM_TOKEN": token, "COLUMNS": "200"}
    return CliRunner().invoke(main, [str(a) for a in arguments], env=environment)


@pytest.fixture(scope="module")
def endpoint():
    app = Endpoint()
    with served(app) as url:
        app.url = url
        yield app


@pytest.fixture
def fresh(endpoint):
    endpoint.store = {"User": {}, "Group": {}}
    return endpoint


@pytest.fixture
def tenant(tmp_path):
    path = tmp_path / "tenant.json"
    path.write_text(json.dumps(to_json(demo(12, 2))), encoding="utf-8")
    return path


def test_demo_writes_a_tenant():
    result = run("demo", "--users", 5, "--groups", 1, "--seed", 3)
    assert result.exit_code == 0
    assert json.loads(result.output) == to_json(demo(5, 1, seed=3))


@pytest.mark.parametrize(("users", "groups", "scale"), [(3, 1, 1), (1, 0, 1), (30, 2, 30)])
def test_a_day_passes_in_a_small_tenant_too(tmp_path, users, groups, scale):
    for seed in range(3):
        path = tmp_path / f"{seed}.json"
        path.write_text(json.dumps(to_json(demo(users, groups, seed=seed))))
        result = run("day", path, "--seed", seed, "--scale", scale)
        assert result.exit_code == 0, result.output
        assert len(result.output.splitlines()) == 14 * scale


@pytest.mark.parametrize("more", [{}, {"mailNickname": 5}], ids=str)
def test_a_day_passes_in_a_tenant_with_the_least_that_a_file_needs(tmp_path, more):
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


def test_the_flag_may_come_with_the_url(fresh, tenant):
    assert "dialect F" in run("sync", tenant, "--url", fresh.url + "?aadOptscim062020", "--rate", 0).output


def test_a_quarantine_has_an_exit_status_of_its_own(tenant):
    with served(broken.EmptySearchIs404()) as url:
        result = run("sync", tenant, "--url", url)
    assert result.exit_code == 3
    assert "EncounteredQuarantineException" in result.output


def test_errors_are_grouped_by_cause_and_end_with_1(tenant):
    with served(broken.NoPatch()) as url:
        result = run("sync", tenant, "--url", url, "--rate", 0)
    assert result.exit_code == 1
    assert "Errors by cause" in result.output
    assert "answered 405: PATCH is not supported" in result.output


def test_provision_shows_each_request_and_answer(fresh, tenant):
    name = demo(12, 2).of("User")[0].name
    result = run("provision", tenant, name, "All Staff", "--url", fresh.url)
    assert result.exit_code == 0, result.output
    assert "POST /Users" in result.output
    assert "-> 201" in result.output
    assert TOKEN not in result.output


def test_validate_writes_reports_and_its_exit_status_is_for_ci(fresh, tmp_path):
    files = {name: tmp_path / name for name in ("junit", "json", "html")}
    options = [text for name, path in files.items() for text in (f"--{name}", path)]
    cases = [text for name in ("probe-users", "create", "null-update") for text in ("--case", name)]
    good = run("validate", fresh.url, "--rate", 0, *options, *cases)
    assert good.exit_code == 0, good.output
    assert all(path.stat().st_size > 300 for path in files.values())
    with served(broken.PlainJson()) as url:
        warned = run("validate", url, "--case", "content-type")
        strict = run("validate", url, "--case", "content-type", "--strict")
    assert (warned.exit_code, strict.exit_code) == (0, 1)
    assert "Change: " in warned.output
    assert "probe-users" in run("validate", "--list").output


def test_discover_and_replay(fresh, tenant, tmp_path):
    log = tmp_path / "log.jsonl"
    run("sync", tenant, "--url", fresh.url, "--rate", 0, "--log", log)
    result = run("discover", fresh.url, "--tenant", tenant, "--json", tmp_path / "found.json")
    assert "assigned" in result.output
    assert len(json.loads((tmp_path / "found.json").read_text())["assigned"]) == len(fresh.store["User"])
    with served(Endpoint()) as url:
        same = run("replay", log, "--url", url, "--rate", 0)
    assert same.exit_code == 0, same.output
    assert "0 answered differently" in same.output
    assert run("replay", log, "--url", fresh.url, "--rate", 0).exit_code == 1


def test_schema_gives_the_file_back_with_the_attributes_added(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(exported()))
    assert run("schema", path, "-o", path).exit_code == 0
    again = run("schema", path, "-o", path)
    assert "nothing to add" in again.output
    assert "immutable_id" in path.read_text()


def test_a_schema_that_cannot_be_written_again_leaves_no_file(tmp_path):
    path, output = tmp_path / "schema.json", tmp_path / "out.json"
    for odd in ("\ud800", float("nan"), float("inf")):
        path.write_text(json.dumps({**exported(), "id": odd}))
        result = run("schema", path, "-o", output)
        assert result.exit_code == 1
        assert "no schema exported from Entra: not JSON" in result.output
        assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sync", "none.json", "--url", "http://x/scim"), "'none.json' does not exist"),
        (("sync", "{tenant}", "--url", "nowhere"), "'nowhere' is no tenant URL"),
        (("sync", "{text}", "--url", "http://x/scim"), "is not JSON"),
        (("sync", "{empty}", "--url", "http://x/scim"), '"users" list'),
        (("sync", "{tenant}", "--url", "http://x/scim", "--state", "{text}"), "not a state file"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--state", "{empty}"), "not a state file"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--mapping", "{text}"), "not JSON"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--mapping", "none"), "No such file"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--fault", "x"), "none of 429, 500, 503, timeout"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--fault", "429:x"), "between 0 and 1"),
        (("sync", "{tenant}", "--url", "http://x/scim", "--roles", "complex", "--scope", "all"), "--scope all"),
        (("provision", "{tenant}", "nobody", "--url", "http://x/scim"), "called 'nobody'"),
        (("validate", "http://x/scim", "--case", "none"), "no case 'none'"),
        (("replay", "{text}", "--url", "http://x/scim"), "line 1 is not JSON"),
        (("schema", "{empty}"), "no schema exported from Entra"),
        (("schema", "{tenant}"), '"synchronizationRules"'),
        (("discover", "http://127.0.0.1:9/scim"), "Unreachable: nothing answers there: [Errno 111] Connection refused"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments, message, tenant, tmp_path):
    files = {"tenant": tenant, "text": tmp_path / "text", "empty": tmp_path / "empty"}
    files["text"].write_text("not json")
    files["empty"].write_text("{}")
    result = run(*(str(a).format(**files) for a in arguments))
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
def test_a_file_in_a_folder_that_is_not_there_is_refused_before_anything_is_done(fresh, tenant, tmp_path, command):
    fresh.requests.clear()
    result = run(*command.format(tenant=tenant, url=fresh.url).split(), tmp_path / "none" / "file")
    assert result.exit_code == 2, result.output
    assert f"there is no folder '{tmp_path / 'none'}'" in result.output
    assert fresh.requests == []


@pytest.mark.parametrize("command", ["sync {tenant}", "provision {tenant} x"])
def test_a_state_in_a_folder_that_takes_no_files_is_refused_before_anything_is_done(fresh, tenant, command):
    fresh.requests.clear()
    result = run(*command.format(tenant=tenant).split(), "--url", fresh.url, "--state", "/proc/links.json")
    assert result.exit_code == 2, result.output
    assert "no file can be made in '/proc': No such file or directory" in result.output
    assert fresh.requests == []


def test_a_state_that_can_no_longer_be_written_is_named(fresh, tenant, tmp_path, monkeypatch):
    def replace(self, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "replace", replace)
    state = tmp_path / "links.json"
    result = run("sync", tenant, "--url", fresh.url, "--rate", 0, "--state", state)
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, f"Error: {state}: No space left on device")


def test_a_state_that_is_a_link_is_written_where_it_leads(fresh, tenant, tmp_path):
    (tmp_path / "kept").mkdir()
    state, kept = tmp_path / "links.json", tmp_path / "kept" / "links.json"
    state.symlink_to("kept/links.json")
    for _ in range(2):
        assert run("sync", tenant, "--url", fresh.url, "--rate", 0, "--state", state).exit_code == 0
        assert state.is_symlink()
        assert json.loads(kept.read_text())["links"]
    assert [path.name for path in kept.parent.iterdir()] == ["links.json"]


def test_a_state_behind_a_link_into_no_folder_is_refused_before_anything_is_done(fresh, tenant, tmp_path):
    fresh.requests.clear()
    state = tmp_path / "links.json"
    state.symlink_to("none/links.json")
    result = run("sync", tenant, "--url", fresh.url, "--state", state)
    assert result.exit_code == 2, result.output
    assert f"no file can be made in '{tmp_path / 'none'}'" in result.output
    assert fresh.requests == []


def test_a_state_is_durable_under_its_name(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    state = State(path=tmp_path / "links.json")
    state.save()
    assert synced == [state.path.stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize("command", ["day {tenant} -o", "schema {schema} -o", "sync {tenant} --url {url} --log"])
def test_what_cannot_be_written_is_named(fresh, tenant, tmp_path, command):
    (tmp_path / "schema").write_text(json.dumps(exported()))
    arguments = command.format(tenant=tenant, schema=tmp_path / "schema", url=fresh.url).split()
    full, none = run(*arguments, "/dev/full"), run(*arguments, "")
    assert full.exit_code == 1, full.output
    assert full.output.splitlines()[-1].startswith("Error: ")
    assert full.output.endswith(": No space left on device\n")
    assert none.exit_code == 2
    assert none.output.endswith(": a file needs a name\n")


def test_a_full_disk_behind_standard_output_is_said_once():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "entra", "demo"]
        demo = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert (demo.returncode, demo.stderr) == (1, "Error: output: No space left on device\n")


@pytest.mark.parametrize("content", ["[]", "null", '{"links": 1}', '{"version": 1, "links": {"x": {"y": 1}}}'])
def test_a_file_that_is_no_state_is_called_just_that(tenant, tmp_path, content):
    state = tmp_path / "links.json"
    state.write_text(content)
    result = run("sync", tenant, "--url", "http://x/scim", "--state", state)
    assert result.exit_code == 1
    assert result.output == f"Error: {state} is not a state file of this program\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cycles", None),
        ("seen", []),
        ("seen", {"x": 1}),
        ("references_seen", []),
        ("managers", None),
        ("managers", "x"),
        ("managers", {"x": ["y"]}),
        ("members", {"x": "y"}),
        ("members", {"x": [1]}),
        ("staged", "x"),
        ("links", {"x": {"target": 1, "kind": "User"}}),
        ("escrow", {"x": {"code": "", "detail": "", "attempts": 1, "first": "then", "next": 0}}),
        ("escrow", {"x": {"code": "", "detail": "", "attempts": 1, "first": 10**400, "next": 0}}),
        ("quarantine", {"reason": "", "detail": "", "since": None}),
        ("quarantine", []),
    ],
)
def test_a_value_of_another_type_in_a_state_is_found_before_anything_is_sent(fresh, tenant, tmp_path, key, value):
    state = tmp_path / "links.json"
    options = ("--url", fresh.url, "--rate", 0, "--state", state)
    run("sync", tenant, *options)
    state.write_text(json.dumps({**json.loads(state.read_text()), key: value}))
    fresh.requests.clear()
    result = run("sync", tenant, *options)
    assert (result.exit_code, result.output) == (1, f"Error: {state} is not a state file of this program\n")
    assert fresh.requests == []


def test_a_state_of_another_endpoint_is_refused(fresh, tenant, tmp_path):
    state = tmp_path / "links.json"
    run("sync", tenant, "--url", fresh.url, "--rate", 0, "--state", state)
    result = run("sync", tenant, "--url", "http://other.example/scim", "--state", state)
    assert f"holds the links of {fresh.url}" in result.output


def test_without_a_token_nothing_is_sent(fresh, tenant):
    result = run("sync", tenant, "--url", fresh.url, token="")
    assert result.exit_code == 2
    assert "SCIM_TOKEN" in result.output


@pytest.mark.parametrize("space", ["\r", "\n", "\r\n", " "])
def test_white_space_around_a_token_is_no_part_of_it(fresh, space):
    result = run("validate", fresh.url, "--rate", 0, "--case", "probe-users", token=TOKEN + space)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("odd", ["\r", "\n", "\x7f", "\u00e9", "\udc80"])
def test_a_token_that_no_header_can_have_is_refused_and_not_shown(fresh, tenant, odd):
    fresh.requests.clear()
    for token, options in ((f"Secret{odd}Token", ()), (TOKEN, ("--token", f"Secret{odd}Token"))):
        result = run("sync", tenant, "--url", fresh.url, *options, token=token)
        assert result.exit_code == 2, result.output
        assert "characters that no header can have" in result.output
        assert "Secret" not in result.output
    assert fresh.requests == []


class TokenEndpoint(Endpoint):
    """An endpoint that gives its token to who knows the client's secret."""

    def answer(self, request):
        if request.path == "/scim/oauth":
            known = dict(request.form) == {
                "grant_type": "client_credentials",
                "client_id": "entra",
                "client_secret": "shhh",
            }
            return self.json({"access_token": TOKEN, "expires_in": 3600} if known else {}, 200 if known else 401)
        return super().answer(request)


def test_a_token_can_come_from_client_credentials(tenant):
    with served(TokenEndpoint()) as url:
        options = ("sync", tenant, "--url", url, "--rate", 0, "--oauth", f"{url}/oauth", "--client-id", "entra")
        good = run(*options, "--client-secret", "shhh", token="")
        bad = run(*options, "--client-secret", "wrong", token="")
        html = run(*options[:-4], "--oauth", f"{url}/Users", token="")
    assert good.exit_code == 0, good.output
    assert "answered 401 without an access_token" in bad.output
    assert "without an access_token" in html.output
    gone = run(*options[:-3], "http://127.0.0.1:9/", token="")
    assert "token endpoint cannot be reached" in gone.output
    assert "shhh" not in good.output + bad.output


class OddTokens(Endpoint):
    """An endpoint whose tokens break off a header."""

    def answer(self, request):
        return self.json({"access_token": "Secret\r\nToken"}, 200)


def test_a_token_of_client_credentials_that_no_header_can_have_is_not_shown(tenant):
    with served(OddTokens()) as url:
        result = run("sync", tenant, "--url", url, "--oauth", f"{url}/oauth", token="")
    assert result.exit_code == 1
    assert "characters that no header can have" in result.output
    assert "Secret" not in result.output


# A process of its own


def start(*arguments):
    command = [sys.executable, "-m", "entra", *map(str, arguments)]
    environment = {**os.environ, "SCIM_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)


def wait_until(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def test_ctrl_c_leaves_a_state_from_which_the_next_run_goes_on(fresh, tmp_path):
    path, state = tmp_path / "tenant.json", tmp_path / "links.json"
    path.write_text(json.dumps(to_json(demo(120, 2))))
    options = ("--url", fresh.url, "--state", state)
    process = start("sync", path, *options, "--rate", 200)
    wait_until(lambda: len(fresh.store["User"]) > 20)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "goes on" in output
    made = len(fresh.store["User"])
    assert made < 110
    assert len(json.loads(state.read_text())["links"]) == made
    fresh.requests.clear()
    again = run("sync", path, *options, "--rate", 0)
    assert again.exit_code == 0, again.output
    tenant = demo(120, 2)
    assert len(fresh.store["User"]) == sum(person.enabled for person in tenant.of("User"))
    posts = sum(1 for method, where in fresh.requests if method == "POST" and "/Users" in where)
    assert posts == len(fresh.store["User"]) - made
    assert all(group["members"] for group in fresh.store["Group"].values())


def test_watch_runs_a_cycle_when_the_file_changes(fresh, tenant, tmp_path):
    process = start("sync", tenant, "--url", fresh.url, "--rate", 0, "--watch")
    try:
        wait_until(lambda: fresh.store["User"])
        wait_until(lambda: [g for g in fresh.store["Group"].values() if g.get("members")])
        time.sleep(0.5)
        raw = json.loads(tenant.read_text())
        raw["users"][0]["displayName"] = "Somebody Else"
        replacement = tmp_path / "new.json"
        replacement.write_text(json.dumps(raw))
        replacement.replace(tenant)
        wait_until(lambda: "Somebody Else" in {u.get("displayName") for u in fresh.store["User"].values()})
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert output.count("cycle, dialect") >= 2


def test_watch_goes_on_with_a_state_that_cannot_be_saved_and_saves_it_when_it_can(fresh, tenant, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    state = folder / "links.json"
    state.symlink_to(folder / "gone" / "links.json")
    (folder / "gone").mkdir()
    process = start("sync", tenant, "--url", fresh.url, "--rate", 0, "--watch", "--interval", 0.02, "--state", state)
    try:
        wait_until(lambda: fresh.store["User"])
        wait_until(state.exists)
        shutil.rmtree(folder / "gone")
        wait_until(lambda: process.stdout.readline().startswith("the state is not saved: "))
        (folder / "gone").mkdir()
        wait_until(state.exists)
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert len(json.loads(state.read_text())["links"]) == len(fresh.store["User"]) + len(fresh.store["Group"])


def test_a_watch_that_ends_with_a_state_that_cannot_be_saved_says_so(fresh, tenant, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    state = folder / "links.json"
    process = start("sync", tenant, "--url", fresh.url, "--rate", 0, "--watch", "--interval", 0.02, "--state", state)
    try:
        wait_until(state.exists)
        shutil.rmtree(folder)
        wait_until(lambda: process.stdout.readline().startswith("the state is not saved: "))
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1, output
    assert output.endswith(f"Error: {state}: No such file or directory\n")


def test_a_demonstration_whose_port_is_taken_is_refused_first(tmp_path):
    """Its users would else go to whatever service is there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".run").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        command = ["make", "-C", str(ROOT), "demo", f"VENV={tmp_path}", f"DEMO={address}"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        taken.setblocking(False)
        with pytest.raises(BlockingIOError):
            taken.accept()
    assert refused.returncode != 0
    assert f"{address} is taken by another server" in refused.stderr
