"""The README names what exists."""

import re
from pathlib import Path

import entra
from entra.cli import main
from entra.functions import FUNCTIONS

TEXT = (Path(entra.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_exactly_the_commands_that_exist():
    named = set(re.findall(r"python -m entra (\w+)", TEXT)) | set(re.findall(r"^\| `(\w+)", TEXT, re.M))
    assert named == set(main.commands)


def test_every_option_of_the_readme_exists():
    known = {
        name
        for command in main.commands.values()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) - {"--help"}
    assert named <= known


def test_every_mapping_function_is_named():
    assert {name for name in FUNCTIONS if name not in TEXT.lower()} == set()


def test_the_emulator_does_not_import_the_service():
    for path in Path(entra.__file__).parent.rglob("*.py"):
        assert not re.search(r"^\s*(?:from|import) (?:scim|storage|app|config|panel)\b", path.read_text(), re.M), path
