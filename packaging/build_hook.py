"""Builds the wheel's one import package, `tinyscim`, from the top-level packages of the repository."""

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "tinyscim"
PACKAGES = (
    "commands",
    "config",
    "entra",
    "fileio",
    "oauth",
    "panel",
    "provisioning_log",
    "runtime",
    "scim",
    "storage",
    "webhooks",
)
FILES = ("app.py", "gunicorn.conf.py", "config.example.toml")
OWN = {*PACKAGES, "app"}
TEXTS = (".py", ".html", ".toml")
BY_NAME = ("import_module", "__import__", "files", "run_module")  # functions that take a module's name
# The commands as a user of the wheel types them.
SHELL = (
    (re.compile(r"\bflask (?=(setup|token|client|panel|config|store|log|metrics|webhook)\b)"), f"{NAME} "),
    (re.compile(r"\bpython -m entra\b"), f"{NAME} entra"),
)


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the package to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the package to a temporary folder."""
        if version == "editable":
            raise ValueError("Tinyscim cannot be installed in editable mode. In a clone, run it with: make run")
        self._folder = Path(tempfile.mkdtemp())
        write_package(Path(self.root), self._folder)
        build_data["force_include"][str(self._folder)] = NAME

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self._folder)


def write_package(root: Path, folder: Path) -> None:
    """Copy the service from the repository, and change imports and commands for the wheel."""
    ignore = shutil.ignore_patterns("__pycache__", ".*", "README.md")
    shutil.copytree(root / "packaging" / NAME, folder, ignore=ignore, dirs_exist_ok=True)
    for name in PACKAGES:
        shutil.copytree(root / name, folder / name, ignore=ignore)
    for name in FILES:
        shutil.copy(root / name, folder)
    for path in (path for path in folder.rglob("*") if path.suffix in TEXTS):
        text = path.read_text(encoding="utf-8")
        text = with_new_imports(text, path) if path.suffix == ".py" else text
        for pattern, command in SHELL:
            text = pattern.sub(command, text)
        path.write_text(text, encoding="utf-8")


def with_new_imports(source: str, path: Path) -> str:
    """Return the source with the repository's packages imported from the one package.

    Raises ValueError if an import cannot be changed.
    """
    lines = source.encode().splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call) and any(map(is_own, names(node))):
            line = lines[node.lineno - 1]
            start, statement = line[: node.col_offset], line[node.col_offset :].decode()
            lines[node.lineno - 1] = start + changed(node, statement, path).encode()
    return b"".join(lines).decode()


def names(node: ast.AST) -> Iterator[str]:
    """Yield the modules that a statement imports, or that a call names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BY_NAME:
        yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))


def is_own(module: str) -> bool:
    """Return whether a module is one of the repository's."""
    return module.partition(".")[0] in OWN


def changed(node: ast.AST, statement: str, path: Path) -> str:
    """Return an import statement that imports from the package. Raises ValueError."""
    if isinstance(node, ast.ImportFrom):
        return re.sub(r"^from\s+", f"from {NAME}.", statement)
    if isinstance(node, ast.Import) and all(alias.name in OWN for alias in node.names):
        return f"from {NAME} {statement}"
    raise ValueError(f"{path}: cannot change the import for the wheel: {ast.unparse(node)}")
