"""Damaged, missing and misplaced files stop the start, with a message that names file and line."""

import contextlib
import json

import pytest

from storage.base import StoreCorrupted
from storage.engine.paths import Files
from storage.maintenance.repair import check, repair
from storage.tinydb_store import TinyDBStore
from tests.support.storage import INDEXES, flip, journal_of, opened, state, user


def refusal(path):
    store = TinyDBStore(path)
    with pytest.raises(StoreCorrupted) as caught:
        store.open(INDEXES)
    return str(caught.value)


@pytest.mark.parametrize("line", range(1, 7))
def test_a_flipped_byte_in_the_journal_stops_the_start(filled, line):
    journal = journal_of(filled)
    lines = journal.read_bytes().splitlines(keepends=True)
    flip(journal, len(b"".join(lines[: line - 1])) + 12)
    message = refusal(filled)
    assert f"{journal}, line {line}:" in message
    assert "flask store repair" in message


def test_no_flipped_byte_in_the_journal_goes_unnoticed(filled):
    journal, whole = journal_of(filled), state(filled)
    sound = journal.read_bytes()
    for place in [*range(0, len(sound), 2), len(sound) - 1]:
        flip(journal, place)
        with pytest.raises(StoreCorrupted):
            state(filled)
        journal.write_bytes(sound)
    assert state(filled) == whole


def test_a_missing_line_in_the_journal_stops_the_start(filled):
    journal = journal_of(filled)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert f"{journal}, line 4:" in refusal(filled)


def test_a_flipped_byte_in_the_snapshot_stops_the_start_or_changes_nothing(filled):
    whole, sound = state(filled), filled.read_bytes()
    for place in range(0, len(sound), 3):
        flip(filled, place)
        with contextlib.suppress(StoreCorrupted):
            assert state(filled) == whole
        filled.write_bytes(sound)


def test_a_cut_snapshot_stops_the_start_wherever_it_is_cut(filled):
    sound = filled.read_bytes()
    for end in range(1, len(sound) - 1, 7):
        filled.write_bytes(sound[:end])
        message = refusal(filled)
        assert f"{filled}, line " in message
        assert "flask store repair" in message


def test_a_cut_file_of_stock_tinydb_stops_the_start(path):
    path.parent.mkdir()
    path.write_text('{"User": {"1": {"id": "u1"')
    assert f"{path}, line 1:" in refusal(path)
    assert path.read_text() == '{"User": {"1": {"id": "u1"'


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"User": []}',
        '{"User": {"1": {}}}',
        '{"User": {"1": {"id": 5}}}',
        '{"User": {"x": {"id": "a"}}}',
        "null",
        '{"User": {"²": {"id": "a"}}}',
        '{"User": {"%s": {"id": "a"}}}' % ("9" * 5000),
        '{"User": {"1": {"id": "a", "weight": NaN}}}',
        '{"User": {"x": NaN}}',
        '{"_tinyscim": {"1": [1]}}',
        '{"_tinyscim": {"1": {"layout": "x"}}}',
        '{"_tinyscim": {"1": {"colour": 1}}}',
    ],
)
def test_a_file_without_tinydb_tables_of_documents_with_ids_stops_the_start(path, content):
    path.parent.mkdir()
    path.write_text(content)
    assert f"{path}, line 1:" in refusal(path)


def test_two_documents_with_one_id_stop_the_start(path):
    path.parent.mkdir()
    path.write_text('{"User": {"1": {"id": "a"}, "2": {"id": "a"}}}')
    assert "User 2 has the id of another" in refusal(path)


def test_a_missing_journal_stops_the_start(filled):
    journal_of(filled).unlink()
    assert "journal.2 is missing" in refusal(filled)


@pytest.fixture
def half_compacted(filled, monkeypatch):
    """Leave the files as a compaction does that was killed before it merged them, with a user in the new journal."""
    monkeypatch.setattr("storage.engine.commit.merge", lambda *args: None)
    store = opened(filled)
    store.compact()
    with store.writing() as tx:
        tx.insert("User", user(16))
    store.close()
    monkeypatch.undo()
    older, newer = sorted(filled.parent.glob("*.journal.*"))
    return older, newer


def cut_the_last_line(journal):
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("damage", "there"),
    [
        (lambda older, newer: newer.unlink(), 15),
        (lambda older, newer: newer.write_bytes(b""), 15),
        (lambda older, newer: newer.write_bytes(newer.read_bytes()[:5]), 15),
        (lambda older, newer: older.write_bytes(b""), 11),
        (lambda older, newer: cut_the_last_line(older), 16),
    ],
)
def test_a_journal_without_a_beginning_or_an_end_stops_the_start_until_it_is_repaired(
    filled, half_compacted, damage, there
):
    damage(*half_compacted)
    for _ in range(2):
        assert "flask store repair" in refusal(filled)
    assert check(Files(filled)).problems
    assert repair(Files(filled))[1]
    assert len(state(filled)["User"]) == there
    assert not check(Files(filled)).problems


def test_a_compaction_does_not_overwrite_a_journal_in_use(filled, half_compacted):
    older, newer = half_compacted
    whole = newer.read_bytes()
    newer.unlink()
    cut_the_last_line(older)
    store = opened(filled)
    newer.write_bytes(whole)
    with pytest.raises(StoreCorrupted, match="has lost its end"):
        store.compact()
    store.close()
    assert newer.read_bytes() == whole


@pytest.mark.parametrize("left", [b"", b"{", "header"])
def test_an_unused_journal_of_an_interrupted_compaction_does_no_harm(filled, left):
    store = opened(filled)
    newer = store.files.journal(journal_number(filled) + 1)
    store.close()
    if left == "header":
        left = journal_of(filled).read_bytes().splitlines(keepends=True)[0]
    newer.write_bytes(left)
    assert len(state(filled)["User"]) == 15
    assert not check(Files(filled)).problems
    store = opened(filled)
    store.compact()
    store.close()
    assert len(state(filled)["User"]) == 15


def journal_number(path):
    return int(journal_of(path).suffix[1:])


def test_a_missing_snapshot_stops_the_start(filled):
    filled.unlink()
    assert "is missing. Bring the right file back." in refusal(filled)
    assert "flask store repair" in refusal(filled)


def test_a_missing_snapshot_of_a_new_store_starts_no_empty_one(path):
    path.parent.mkdir()
    path.write_text(json.dumps({"User": {"1": user(1)}}))  # all of it is in the snapshot, once that is converted
    opened(path).close()
    path.unlink()
    assert "is missing" in refusal(path)


def test_a_layout_from_the_future_stops_the_start(filled):
    content = filled.read_text().replace('"layout":1', '"layout":2')
    filled.write_text(content)
    assert f"{filled} has layout 2, this Tinyscim knows 1: use a newer Tinyscim" in refusal(filled)
