"""Data files that another program wrote, a link leads to, or that are mounted by themselves."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from app import create_app
from storage.base import StoreCorrupted, Unavailable
from storage.maintenance.repair import check
from storage.maintenance.transfer import restore
from tests.support.storage import insert, opened, user, user_ids

META = {
    "resourceType": "User",
    "created": "2026-01-31T12:00:00Z",
    "lastModified": "2026-01-31T12:00:00Z",
    "version": 'W/"1a"',
}
WHOLE = {"schemas": [], "id": "a", "userName": "ann", "meta": META}


def configured_store(path):
    """Return the store and the indexes that the service uses for a file."""
    service = create_app({"store": {"path": str(path)}}).extensions["tinyscim"]
    return service.store, service.indexes.all


def write(path, *documents):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"User": {str(number): document for number, document in enumerate(documents, 1)}}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"meta": None}, 'User 2 cannot be served: a User needs "meta" with its resourceType'),
        ({"meta": {**META, "version": "5"}}, "User 2 cannot be served: 5 is not a version"),
        ({"userName": None}, "User 2 cannot be served: userName is required"),
        ({"emails": "a@b"}, "User 2 cannot be served: emails"),
        ({"colour": "red"}, "User 2 cannot be served: colour is not an attribute of User"),
    ],
)
def test_a_document_that_cannot_be_served_is_found_before_it_is_served(path, tmp_path, change, reason):
    wrong = {name: value for name, value in {**WHOLE, "id": "b", "userName": "bo", **change}.items() if value}
    write(path, WHOLE, wrong)
    before = path.read_bytes()
    store, indexes = configured_store(path)
    with pytest.raises(StoreCorrupted, match="line 1: " + reason):
        store.open(indexes)
    (problem,) = check(store.files, indexes, store.check).problems
    assert reason in str(problem)
    with pytest.raises(StoreCorrupted, match=reason):
        restore(configured_store(tmp_path / "other")[0].files, path, indexes, store.check)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.backup.*"))


def test_documents_that_can_be_served_are_taken_over(path):
    write(path, WHOLE)
    store, indexes = configured_store(path)
    store.open(indexes)
    with store.reading() as reader:
        assert reader.get("User", "a").data == WHOLE
    store.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"User": {"1": {"id": "a", "x": %s}}}' % ("[" * 200_000 + "]" * 200_000), "this is nested too deeply"),
        ('{"User": {"1000000000000000000": {"id": "a"}}}', "has no position from 1 to 1000000000"),
        ('{"User": {"0": {"id": "a"}}}', "has no position from 1 to 1000000000"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_refused_with_its_name(path, content, reason):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(StoreCorrupted, match=reason) as refusal:
        opened(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("depth", [300, 2_000, 50_000])
def test_a_deeply_nested_value_is_refused_before_it_is_served(path, depth):
    path.parent.mkdir()
    title = "[" * depth + "]" * depth
    path.write_text(json.dumps({"User": {"1": {**WHOLE, "title": "TITLE"}}}).replace('"TITLE"', title))
    store, indexes = configured_store(path)
    with pytest.raises(StoreCorrupted, match="line 1: "):
        store.open(indexes)


def test_the_highest_position_costs_little_memory(path):
    path.parent.mkdir()
    path.write_text('{"User": {"1000000000": {"id": "a"}}}')
    store = opened(path)
    assert user_ids(store) == ["a"]
    with store.reading() as reader:
        assert sys.getsizeof(reader.version.table("User").documents._nodes) < 10_000_000
    store.close()


def test_the_target_of_a_link_is_the_store(path, tmp_path):
    path.parent.mkdir()
    (tmp_path / "volume").mkdir()
    target = tmp_path / "volume" / "users.json"
    target.write_text("{}")
    path.symlink_to(target)
    store = opened(path)
    insert(store, 1)
    store.compact()
    store.close()
    assert path.is_symlink()
    assert b"User1@example.com" in target.read_bytes()
    assert list(path.parent.iterdir()) == [path]
    store = opened(target)
    assert user_ids(store) == ["u1"]
    store.close()


def test_a_link_without_a_target_starts_no_empty_store(path, tmp_path):
    path.parent.mkdir()
    target = tmp_path / "unmounted" / "users.json"
    path.symlink_to(target)
    with pytest.raises(Unavailable, match="which does not exist") as refusal:
        opened(path)
    assert f"{path} is a link to {target}" in str(refusal.value)
    assert "Mount the volume that it is on, or remove the link" in str(refusal.value)
    assert not target.parent.exists()


OPEN = """
import sys
from pathlib import Path
from tests.support.storage import opened
try:
    opened(Path(sys.argv[1]))
except Exception as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can mount")
def test_a_file_that_is_mounted_by_itself_is_refused_without_a_backup(path, tmp_path):
    path = path.with_name("da ta.json")
    write(path, user(1))
    (tmp_path / "outside.json").write_text(path.read_text())
    command = 'mount --bind "$1" "$2" && exec "$3" -c "$4" "$2"'
    args = [tmp_path / "outside.json", path, sys.executable, OPEN]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", *args], capture_output=True, text=True, check=False
    )
    if "mount:" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert f"{path} is mounted by itself, so it cannot be replaced. Mount its folder instead" in done.stdout
    assert list(path.parent.iterdir()) == [path]
