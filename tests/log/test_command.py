"""The commands `flask log tail` and `flask log export`."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tomlkit

from app import create_app
from entra.replay import read as read_replay
from entra.replay import replay
from provisioning_log.export import COLUMNS
from scim.directory.events import Event

ROOT = Path(__file__).parents[2]


@pytest.fixture
def day(logged):
    """A day in which a bit of everything happens."""
    scim = logged.scim
    ann = scim.create_user(userName="ann", displayName="Ann", title="Cook")
    group = scim.create_group(displayName="Cooks")
    scim.patch_op(f"/Groups/{group['id']}", {"op": "Add", "path": "members", "value": [{"value": ann["id"]}]})
    scim.patch_op(f"/Users/{ann['id']}", {"op": "Replace", "path": "title", "value": "Chef"})
    scim.patch_op(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": "False"})
    scim.post("/Users", {"userName": "ann"})
    scim.delete(f"/Groups/{group['id']}")
    return logged


def test_tail_shows_the_newest_on_a_line_each(day):
    lines = day.run("tail").output.splitlines()
    said = ["201 created User Ann (ann)", "201 created Group Cooks", "204 joined Group Cooks: joined Ann"]
    said += ["200 updated User Ann (ann): title Cook -> Chef", "200 disabled User Ann (ann): active (empty) -> false"]
    said += ['409 failed User ann: Another User has the userName "ann". A User with', "204 deleted Group Cooks"]
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert part in line
        assert "entra" in line
    assert day.run("tail", "-n", "2").output.splitlines() == lines[-2:]


def test_tail_of_zero_lines_shows_nothing(day):
    answer = day.run("tail", "-n", "0")
    assert (answer.exit_code, answer.output) == (0, "")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["--person", "ANN"], 5),
        (["--person", "cooks", "--action", "joined"], 1),
        (["--result", "failure"], 1),
        (["--since", "1h"], 7),
        (["--since", "2099-01-01"], 0),
        (["--until", "2020-01-01T12:00"], 0),
    ],
)
def test_tail_and_export_choose_by_person_action_result_and_time(day, filters, count):
    for command in ("tail", "export"):
        answer = day.run(command, *filters)
        assert answer.exit_code == 0
        assert len(answer.stdout.splitlines()) == count


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tail", "--since", "1d", "--until", "2d"], "--since is later than --until"),
        (["tail", "--since", "yesterday"], '"yesterday" is not a date. Use 2026-01-31'),
        (["tail", "--action", "jumped"], "'jumped' is not one of 'created'"),
        (["export", "--format", "xml"], "'xml' is not one of 'jsonl', 'csv'"),
    ],
)
def test_invalid_options_are_explained(logged, arguments, said):
    answer = logged.run(*arguments)
    assert answer.exit_code == 2
    assert said in answer.output


@pytest.mark.parametrize(
    ("file", "said"), [("/nowhere/file", "/nowhere/file: No such file"), ("/dev/full", "output: No space left")]
)
def test_a_file_that_cannot_be_written_is_said_in_one_line(day, file, said):
    answer = day.run("export", "-o", file)
    assert answer.exit_code == 1
    assert answer.output.startswith(f"Error: {said}")
    assert answer.output.count("\n") == 1


def test_an_export_is_private(day, tmp_path):
    assert day.run("export", "-o", str(tmp_path / "export")).exit_code == 0
    assert (tmp_path / "export").stat().st_mode & 0o777 == 0o600


def test_an_empty_log_says_so(logged):
    answer = logged.run("tail")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "The log is empty" in answer.stderr


def test_a_log_that_is_off_says_how_to_turn_it_on(make_logged):
    answer = make_logged(log={"path": ""}).run("tail")
    assert answer.exit_code == 1
    assert "set path under [log]" in answer.output


def test_the_help_names_every_option(logged):
    for command, words in (("tail", ["--follow", "--lines"]), ("export", ["--format", "--output"])):
        text = logged.run(command, "--help").output
        assert all(word in text for word in [*words, "--person", "--action", "--result", "--since", "--until"])


def test_csv_has_a_row_for_each_entry(day):
    rows = list(csv.DictReader(io.StringIO(day.run("export", "--format", "csv").output)))
    assert [row["actions"] for row in rows][:3] == ["created", "created", "joined"]
    assert tuple(rows[0]) == COLUMNS
    assert json.loads(rows[3]["changes"]) == {"title": ["Cook", "Chef"]}
    assert (rows[2]["joined"], rows[2]["display_name"]) == ("Ann", "Cooks")
    assert rows[5]["advice"].startswith('A User with the userName "ann" already exists here.')


def test_csv_has_no_formulas(logged):
    logged.scim.create_user(userName="=cmd|x", displayName="+1")
    row = next(csv.DictReader(io.StringIO(logged.run("export", "--format", "csv").output)))
    assert (row["user_name"], row["display_name"]) == ("'=cmd|x", "'+1")


def test_a_carriage_return_in_a_name_begins_no_row(logged):
    logged.scim.create_user(displayName="\r=1")
    logged.scim.create_user(displayName="Ann\r=1")
    rows = list(csv.reader(io.StringIO(logged.run("export", "--format", "csv").output, newline="")))
    assert [row[COLUMNS.index("display_name")] for row in rows] == ["display_name", "'\r'=1", "Ann\r'=1"]


def test_a_name_does_nothing_to_the_terminal(logged):
    logged.scim.create_user(displayName="Ann\x1b[2J\u202e")
    assert "Ann?[2J?" in logged.run("tail").output


class Endpoint:
    """Another service, to which a log is sent again."""

    def __init__(self, scim):
        self.scim = scim

    def send(self, method, path, query, body):
        answer = self.scim.request(method, path, body)
        return type("Exchange", (), {"status": answer.status, "response": answer.body, "fault": ""})()


def test_what_is_exported_can_be_sent_again(day, make_scim):
    answer = day.run("export", "--format", "jsonl")
    recorded = read_replay(answer.output)
    assert [one.method for one in recorded] == ["POST", "POST", "PATCH", "PATCH", "PATCH", "POST", "DELETE"]
    differences = [one.differences for one in replay(Endpoint(make_scim()), recorded)]
    assert differences == [[]] * 7


def test_following_shows_what_comes(tmp_path):
    """Run the command in its own process."""
    config = tmp_path / "config.toml"
    config.write_text(tomlkit.dumps({"log": {"path": "log.jsonl"}, "store": {"path": "data.json"}}))
    environment = {**os.environ, "SCIM_CONFIG": str(config), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "flask", "log", "tail", "-f", "-n", "1"]
    log = create_app(config).extensions["tinyscim.log"]
    log.observe(stranger())
    log.flush()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert "401 failed" in process.stdout.readline()
            log.observe(stranger(403))
            log.flush()
            assert "403 failed" in process.stdout.readline()
        finally:
            process.terminate()


def stranger(status=401):
    return Event("GET", "/api/scim/v2/Users", status)
