"""What is installed is pinned with hashes, and is what pyproject.toml asks for."""

import re
import tomllib

import pytest

from tests.support.serving import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = [one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra]
SERVED = PROJECT["project"]["dependencies"]
GROUPS = {"run": SERVED, **PROJECT["dependency-groups"], "image": [*SERVED, *EXTRAS]}
FILES = {"run": "requirements.txt", "dev": "requirements-dev.txt", "image": "packaging/docker/requirements.txt"}


def pinned(group):
    """The entry of each package: its version, where it is needed, and its hashes."""
    text = (ROOT / FILES[group]).read_text()
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.lstrip().startswith("#")]
    return {line.partition("==")[0]: line.partition("==")[2] for line in lines}


@pytest.mark.parametrize("group", FILES)
def test_each_package_has_one_version_and_its_hashes(group):
    for name, entry in pinned(group).items():
        assert re.fullmatch(r"[\w.+!-]+( ; [^@]*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", entry), name


@pytest.mark.parametrize("group", FILES)
def test_all_that_is_asked_for_is_pinned(group):
    asked = {re.match(r"[a-z0-9-]+", one)[0] for one in GROUPS[group] if isinstance(one, str)}
    assert asked <= set(pinned(group))


def test_development_uses_the_versions_that_are_served():
    everything = pinned("dev")
    for name, entry in (pinned("run") | pinned("image")).items():
        assert without_marker(everything[name]) == without_marker(entry), name


def without_marker(entry):
    return re.sub(r" ; .*?(?=\s+--hash)", "", entry).split()


@pytest.mark.parametrize("group", FILES)
def test_no_index_is_named(group):
    assert not re.search(r"://|^--|^-[a-z]", (ROOT / FILES[group]).read_text(), flags=re.MULTILINE)
