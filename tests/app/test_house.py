"""Rules of the house that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ["config", "storage", "scim", "panel", "app"]  # who stands further left imports nothing from further right
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
