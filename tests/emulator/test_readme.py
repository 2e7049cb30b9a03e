"""The README tells of what there is."""

import re
from pathlib import Path

import entra
from entra.cli import main
from entra.functions import FUNCTIONS

TEXT = (Path(entra.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_command_of_the_readme_exists_and_every_command_is_in_it():
    told = set(re.findall(r"python -m entra (\w+)", TEXT)) | set(re.findall(r"^\| `(\w+)", TEXT, re.M))
    assert told == set(main.commands)


def test_every_option_of_the_readme_exists():
    known = {
        name
        for command in main.commands.values()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    }
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) - {"--help"}
    assert told <= known


def test_every_mapping_function_is_named():
    assert {name for name in FUNCTIONS if name not in TEXT.lower()} == set()


def test_the_emulator_imports_nothing_of_the_service():
    for path in Path(entra.__file__).parent.rglob("*.py"):
        assert not re.search(r"^\s*(?:from|import) (?:scim|storage|app|config|panel)\b", path.read_text(), re.M), path
