"""Rules of the house that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = [
    "config",
    "ownership",
    "storage",
    "scim",
    "panel",
    "app",
]  # who stands further left imports nothing from further right
FLASK = {"application.py", "http.py", "request.py", "cors.py", "views.py", "discovery.py"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def modules(package):
    return sorted([*(ROOT / package).rglob("*.py"), *ROOT.glob(f"{package}.py")])


@pytest.mark.parametrize("package", FLOORS)
def test_imports_point_one_way(package):
    above = set(FLOORS[FLOORS.index(package) + 1 :])
    for path in modules(package):
        assert not above & set(imports(path)), path


def test_flask_stays_at_the_edge_of_the_protocol():
    for path in modules("scim"):
        if path.name not in FLASK:
            assert not {"flask", "werkzeug"} & set(imports(path)), path


def test_the_protocol_knows_no_dialect():
    edge = {"service.py", "views.py", "http.py"}
    for path in modules("scim"):
        if path.parent.name != "dialect" and path.name not in edge:
            assert "dialect" not in path.read_text().replace("tolerance", ""), path


PRODUCT = ["app", "commands", "config", "gunicorn.conf", "ownership", "panel", "scim", "storage"]
OPENERS = ROOT / "storage" / "files.py"  # the one place that opens files for writing, and the descriptors' users
OF_OS = {
    *("chmod", "chown", "fchmod", "fchown", "lchmod", "lchown", "link", "makedirs", "mkdir", "mkfifo", "mknod", "open"),
    *("fdopen", "rename", "renames", "replace", "symlink", "truncate", "utime"),
}
OF_A_PATH = {
    *("chmod", "hardlink_to", "lchmod", "link_to", "mkdir", "rename", "symlink_to", "touch", "write_bytes"),
    *("write_text",),
}
ALLOWED = {
    ("commands/output.py", "os.fdopen"),  # of what open_output opened
    ("storage/repair.py", "os.fdopen"),  # of what create_private opened
    ("panel/log/files.py", "self.path.rename"),  # the log moves aside, in its own folder
}


def writes(tree):
    """Yield each call that opens, creates, replaces or gives away a file, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            yield from (f"import {name}" for name in names & {"shutil", "tempfile"})
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        module, _, name = call.rpartition(".")
        mode = next((ast.literal_eval(one) for one in open_mode(node, is_method=bool(module))), "r")
        is_opened = name == "open" and isinstance(mode, str) and set(mode) & set("wax+")
        is_moved = name == "replace" and len(node.args) == 1 and not node.keywords
        if (module == "os" and name in OF_OS) or (module != "os" and name in OF_A_PATH) or is_opened or is_moved:
            yield call


def open_mode(call, *, is_method):
    positional = call.args[0 if is_method else 1 :][:1]
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    return [one for one in (*positional, *given) if isinstance(one, ast.Constant)]


@pytest.mark.parametrize("package", PRODUCT)
def test_files_are_written_through_one_place_alone(package):
    """Which sees to it that no link is followed, no pipe waited for and no file given away before it is written."""
    paths = [path for path in modules(package) if path != OPENERS]
    assert paths
    for path in paths:
        name = str(path.relative_to(ROOT))
        found = {(name, call) for call in writes(ast.parse(path.read_text()))}
        assert found <= ALLOWED, name


def test_the_rule_for_files_knows_how_python_writes_one():
    source = """
open(path, "w"); open(path, mode="ab"); path.open("x"); Path(name).write_text(text); os.open(path, flags)
os.replace(new, path); new.replace(path); os.fchown(descriptor, 0, 0); path.chmod(0o600); path.mkdir()
import shutil
open(path); path.open("rb"); text.replace("a", "b"); replace(config, path=path)
"""
    assert len(list(writes(ast.parse(source)))) == 11
