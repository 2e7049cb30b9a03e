"""The documents are held to account: their commands run, and their links and limits hold."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from app import create_app
from storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / name
    for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "bench/README.md", "entra/README.md")
] + sorted((ROOT / "docs").rglob("*.md"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
README = (ROOT / "README.md").read_text()


def page_id(path):
    return str(path.relative_to(ROOT))


def section(path, title):
    return re.split(r"^##+ ", path.read_text().split(f"# {title}\n")[1], flags=re.MULTILINE)[0]


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def anchors(path):
    titles = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_curl_walk_does_what_it_says(live):
    script = "\n".join(blocks(section(ROOT / "docs" / "curl.md", "With curl"), "sh"))
    script = script.replace("http://127.0.0.1:8000", live.url).replace("tscim_...", live.token)
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    empty, found, renamed, flagged, added, group, disabled, gone, without, deleted = run.stdout.split("\n")[:10]
    assert '"totalResults":0' in empty
    assert '"totalResults":1' in found
    assert "Ada King" in renamed
    assert "+44 20 7946 0000" in renamed
    assert "Countess" in flagged
    assert added == gone == deleted == ""
    assert "Ada King" in group
    assert '"active":false' in disabled
    assert '"members":[]' in without


def test_the_request_of_the_quick_start_is_answered(live):
    (command,) = [block for block in blocks(section(ROOT / "README.md", "Quick start"), "sh") if "curl" in block]
    command = command.replace("http://127.0.0.1:8000", live.url).replace("tscim_...", live.token)
    run = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=60)
    assert '"totalResults":' in run.stdout, run.stderr


def test_the_in_process_example_runs():
    *_, example = blocks(section(ROOT / "README.md", "In your own tests"), "python")
    scope: dict = {}
    exec(example.replace("client.get(", "answer = client.get("), scope)
    assert scope["answer"].status_code == 200


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_make_target_that_a_page_names_is_there(path):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_link_leads_somewhere(path):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text()):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_flask_command_that_a_page_names_exists(path):
    cli = create_app({}, store=MemoryStore()).cli
    for name, inner in re.findall(r"(?:^|`|/)flask (\w+)(?: ([a-z]+))?", path.read_text(), flags=re.MULTILINE):
        assert name == "run" or name in cli.commands, name
        assert not inner or inner in getattr(cli.commands[name], "commands", {}), f"{name} {inner}"


def test_the_readme_links_to_every_page_of_the_documentation():
    for path in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{path.name}" in README, path.name


def test_every_decision_is_in_the_list_and_fits_a_page():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("[0-9]*.md"))
    for name in listed:
        text = (folder / name).read_text()
        assert [f"## {part}" in text for part in ("Context", "Decision", "Consequences")] == [True] * 3, name
        assert len(text.splitlines()) <= 60, name


def test_the_architecture_names_exactly_the_packages_that_exist():
    (tree, *_) = re.findall(r"```\n(.*?)```", (ROOT / "ARCHITECTURE.md").read_text(), flags=re.DOTALL)
    named, parent = set(), ""
    for indent, name in re.findall(r"^( *)(\w+)/ ", tree, flags=re.MULTILINE):
        parent = parent if indent else name
        named.add(f"{parent}/{name}" if indent else name)
    top = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"tests"}
    inner = {
        f"{name}/{path.parent.name}" for name in ("scim", "storage") for path in (ROOT / name).glob("*/__init__.py")
    }
    assert named == top | inner


def test_every_file_that_the_architecture_names_is_there():
    names = re.findall(r"`([\w.]+/[\w./*]+\.\w+)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert "storage/base.py" in names
    assert not [name for name in names if not list(ROOT.glob(name))]


@pytest.mark.parametrize(("name", "lines"), [("README.md", 200), ("ARCHITECTURE.md", 120)])
def test_the_entry_pages_are_short(name, lines):
    assert len((ROOT / name).read_text().splitlines()) <= lines


def test_the_changelog_has_nothing_but_additions_in_the_first_release():
    headings = re.findall(r"^#+ (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings == ["Changelog", VERSION, "Added"]


def test_the_readme_and_the_project_name_the_same_versions_of_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest, beyond = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    assert f"Python 3.{lowest} to 3.{int(beyond) - 1}" in README
