"""The direction of imports, which no linter checks."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from flask import Flask

ROOT = Path(__file__).parents[2]
# A package imports only what stands to its left.
ORDER = [
    "fileio",
    "storage",
    "config",
    "runtime",
    "scim.errors",
    "scim.budget",
    "scim.schema",
    "scim.filters",
    "scim.protocol",
    "scim.dialect",
    "scim.directory",
    "oauth",
    "scim.web",
    "provisioning_log",
    "webhooks",
    "panel",
    "commands",
    "app",
]


def layer_of(module):
    names = [name for name in ORDER if module == name or module.startswith(f"{name}.")]
    return ORDER.index(max(names, key=len)) if names else None


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(package):
    path = ROOT / (package if package == "gunicorn.conf" else package.replace(".", "/"))
    return sorted([*path.rglob("*.py"), *path.parent.glob(f"{path.name}.py")])


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_downwards(package):
    for path in modules(package):
        above = [name for name in imports(path) if (layer_of(name) or 0) > ORDER.index(package)]
        assert not above, path


def test_flask_stays_in_the_web_package():
    for path in modules("scim"):
        if path.parent.name != "web":
            assert not {"flask", "werkzeug"} & {name.split(".")[0] for name in imports(path)}, path


def test_the_emulator_imports_nothing_of_the_service():
    for path in modules("entra"):
        assert not [name for name in imports(path) if layer_of(name) is not None], path


PRODUCT = [
    "app",
    "commands",
    "config",
    "fileio",
    "gunicorn.conf",
    "oauth",
    "panel",
    "provisioning_log",
    "runtime",
    "scim",
    "storage",
    "webhooks",
]
OPENERS = ROOT / "fileio" / "atomic.py"  # the one place that opens files for writing, and the descriptors' users
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
    ("storage/engine/paths.py", "path.mkdir"),  # a folder under a name of its own
    ("storage/maintenance/repair.py", "os.fdopen"),  # of what create_private opened
    ("provisioning_log/segments.py", "self.path.rename"),  # the log moves aside, in its own folder
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


LIBRARIES = ("flask", "werkzeug", "gunicorn", "marshmallow", "logging")
GENERATED = {  # by the libraries themselves, for each subclass
    *(("Schema", name) for name in ("_abc_impl", "_declared_fields", "_hooks", "opts")),
    ("View", "methods"),
}
DOCUMENTED = {  # in the libraries' guides, although not by a docstring
    ("BaseConverter", "part_isolating"),  # Werkzeug: custom converters
    ("BaseConverter", "regex"),
    ("Field", "_deserialize"),  # marshmallow: custom fields
    ("Field", "default_error_messages"),
    ("Schema", "Meta"),  # marshmallow: schema options
    ("Schema", "error_messages"),
    ("SecureCookieSessionInterface", "get_signing_serializer"),  # it signs the session: the interface's purpose
    ("String", "_deserialize"),
    ("View", "init_every_request"),  # Flask: class-based views
    ("View", "provide_automatic_options"),
}


def product_classes():
    for path in (path for package in {*PRODUCT, "entra"} - {"gunicorn.conf"} for path in modules(package)):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if path.name != "__main__.py":
            module = importlib.import_module(name)
            yield from (one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name)


def overridden(cls):
    """Yield the members of a library's classes that a class overrides, with the base's class."""
    for base in cls.__mro__[1:]:
        if base.__module__.split(".")[0] in LIBRARIES:
            for name in vars(cls).keys() & vars(base).keys():
                if not (name.startswith("__") and name.endswith("__")):
                    yield base, name


def is_public(base, name):
    """Return whether a library documents a member in a docstring, of the class itself or of one above it."""
    member = getattr(base, name)
    return not name.startswith("_") and callable(member) and bool(inspect.getdoc(member) or inherited_doc(base, name))


def inherited_doc(base, name):
    return any(inspect.getdoc(getattr(one, name)) for one in base.__mro__ if hasattr(one, name))


def test_only_public_documented_members_of_libraries_are_overridden():
    found = {(base, name) for cls in product_classes() for base, name in overridden(cls)}
    names = {(base.__name__, name) for base, name in found if not is_public(base, name)}
    assert names - GENERATED <= DOCUMENTED


def test_the_rule_for_overrides_finds_methods_and_attributes():
    class Broken(Flask):
        request_context = ensure_sync = None
        _check_setup_finished = None

    found = set(overridden(Broken))
    assert (Flask, "request_context") in found
    assert any(not is_public(base, name) for base, name in found if name == "_check_setup_finished")


def test_each_exception_to_the_rule_for_overrides_is_needed():
    found = {(base.__name__, name) for cls in product_classes() for base, name in overridden(cls)}
    assert found >= DOCUMENTED


def test_the_service_has_its_packages():
    packages = {path.parent.name for path in (ROOT / "scim").glob("*/__init__.py")}
    assert packages == {"web", "dialect", "directory", "protocol", "filters", "schema"}
    assert {path.name for path in (ROOT / "scim").glob("*.py")} == {"__init__.py", "budget.py", "errors.py"}


SHORT = {
    "commands/paths.py": "shared by the commands",
    "scim/schema/values.py": "the one definition of having no value",
}


def test_no_module_is_too_short_without_a_reason():
    paths = [path for package in PRODUCT for path in modules(package) if path.name != "__init__.py"]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert {name for name, count in lines.items() if count < 25} == SHORT.keys()


def test_no_module_is_too_long():
    paths = [path for package in PRODUCT for path in modules(package)]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert {name for name, count in lines.items() if count > 300} <= {"storage/engine/commit.py"}
