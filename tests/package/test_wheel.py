"""The wheel: one import package, with everything that the service needs."""

import importlib.util
import re
import tarfile
import zipfile

import pytest

from tests.support.wheel import ROOT, build

SPEC = importlib.util.spec_from_file_location("build_hook", ROOT / "packaging" / "build_hook.py")
HOOK = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(HOOK)
IMPORT_ALL = """
import importlib, pkgutil, sys, tinyscim
for module in pkgutil.walk_packages(tinyscim.__path__, "tinyscim."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert not [name for name in ("app", "config", "scim", "storage") if name in sys.modules]
"""


def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_has_one_import_package(wheel):
    assert wheel.name == "tinyscim-0.1.0-py3-none-any.whl"
    assert {name.split("/")[0] for name in names(wheel)} == {"tinyscim", "tinyscim-0.1.0.dist-info"}


def test_every_file_of_the_service_is_in_the_wheel(wheel):
    inside = set(names(wheel))
    files = [path for name in HOOK.PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    missing = {f"tinyscim/{path.relative_to(ROOT)}" for path in files if path.suffix != ".pyc"} - inside
    assert missing == {"tinyscim/entra/README.md"}
    assert {"tinyscim/app.py", "tinyscim/gunicorn.conf.py", "tinyscim/config.example.toml"} <= inside


def test_every_package_of_the_service_is_named_in_the_hook():
    others = {"tests", "bench"}
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} - others == set(HOOK.PACKAGES)


def test_every_module_of_the_wheel_can_be_imported(project):
    (project.folder / "all.py").write_text(IMPORT_ALL)
    environment = {"PYTHONPATH": f"{project.environment['PYTHONPATH']}:{project.folder}"}
    for name in ("app", "config", "storage"):
        assert (project.folder / f"{name}.py").exists()
    run = project.run(module="all", **environment)
    assert run.returncode == 0, run.stderr


def test_the_wheel_names_its_own_command(unpacked):
    for path in (unpacked / "tinyscim").rglob("*"):
        if path.suffix in HOOK.TEXTS:
            assert not re.search(r"\bflask (token|store|panel) |python -m entra", path.read_text()), path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from scim.web import views", "from tinyscim.scim.web import views"),
        ("import panel", "from tinyscim import panel"),
        ("import config as configuration", "from tinyscim import config as configuration"),
        ("def f():\n    é = 1; from app import x", "def f():\n    é = 1; from tinyscim.app import x"),
        ("import os\nfrom flask import config", "import os\nfrom flask import config"),
        ("from . import config", "from . import config"),
        ('text = "from scim import x"', 'text = "from scim import x"'),
        ("from scim import (\n    web,\n)", "from tinyscim.scim import (\n    web,\n)"),
    ],
)
def test_imports_of_the_repository_are_changed_and_nothing_else(source, expected):
    assert HOOK.with_new_imports(source, "module.py") == expected


@pytest.mark.parametrize(
    "source", ["import scim.web", "import os, panel", 'import_module("scim.web")', 'resources.files("scim")']
)
def test_an_import_that_cannot_be_changed_stops_the_build(source):
    with pytest.raises(ValueError, match=r"module\.py: cannot change the import"):
        HOOK.with_new_imports(source, "module.py")


@pytest.mark.long
def test_the_sdist_builds_the_same_wheel(wheel, tmp_path):
    sdist = build(tmp_path / "sdist", target="sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build(tmp_path / "wheel", root=tmp_path / "tinyscim-0.1.0")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert {name: first.read(name) for name in first.namelist()} == {
            name: second.read(name) for name in second.namelist()
        }
