"""The files: what stock TinyDB and this store make of each other's, and what a damaged one leads to."""

import contextlib
import gc
import json
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from zlib import crc32

import pytest
from tinydb import TinyDB, where

from fileio.atomic import open_private, open_to_read
from storage.base import Duplicate, Index, StoreCorrupted
from storage.engine.paths import Files
from storage.maintenance.repair import check, repair
from storage.tinydb_store import TinyDBStore
from tests.support.storage import INDEXES, flip, ids_of, journal_of, opened, state, user


@pytest.fixture
def filled(path):
    """Make files with ten users in the snapshot and five more in the journal."""
    store = opened(path)
    for number in range(1, 11):
        with store.writing() as tx:
            tx.insert("User", user(number, title="é"))
    store.compact()
    for number in range(11, 16):
        with store.writing() as tx:
            tx.insert("User", user(number))
    store.close()
    return path


def refusal(path):
    store = TinyDBStore(path)
    with pytest.raises(StoreCorrupted) as caught:
        store.open(INDEXES)
    return str(caught.value)


def test_half_a_surrogate_pair_in_a_line_of_an_older_version_is_read(filled):
    journal = journal_of(filled)
    *_, last = journal.read_bytes().splitlines()
    row = json.dumps(["User", 16, user(16, title="\ud800")])
    line = b'{"sequence":%d,"changes":[%s]}' % (json.loads(last[:-9])["sequence"] + 1, row.encode())
    with journal.open("ab") as file:
        file.write(b"%s %08x\n" % (line, crc32(line, int(last[-8:], 16))))
    assert state(filled)["User"][-1] == (16, user(16, title="\ud800"))
    assert not check(Files(filled)).problems


def test_stock_tinydb_opens_a_compacted_store(filled):
    store = opened(filled)
    store.compact()
    store.close()
    with TinyDB(filled) as db:
        users = db.table("User")
        assert [document.doc_id for document in users.all()] == list(range(1, 16))
        assert users.get(where("id") == "u3") == user(3, title="é")
        assert users.get(doc_id=15) == user(15)


def test_a_file_of_stock_tinydb_is_served_and_kept_beside(path):
    path.parent.mkdir()
    with TinyDB(path) as db:
        db.table("User").insert(user(1))
        db.table("User").insert(user(2))
        db.table("User").remove(doc_ids=[1])
        db.table("User").insert(user(3))
    before = path.read_bytes()
    assert [(place, document["id"]) for place, document in state(path)["User"]] == [(2, "u2"), (3, "u3")]
    (copy,) = path.parent.glob("*.backup.*")
    assert copy.read_bytes() == before
    store = opened(path)
    with store.writing() as tx:
        tx.insert("User", user(4))
        assert tx.position("User", "u4") == 4
    store.close()
    assert len(list(path.parent.glob("*.backup.*"))) == 1


@pytest.mark.parametrize("options", [{}, {"indent": 2}, {"indent": 0, "separators": (",", ":")}, {"sort_keys": True}])
def test_a_store_that_stock_tinydb_has_changed_is_served_again(filled, options):
    store = opened(filled)
    store.compact()
    store.close()
    with TinyDB(filled, **options) as db:
        db.table("User").update({"title": "edited"}, where("id") == "u3")
        db.table("User").remove(doc_ids=[15])
    users = state(filled)["User"]
    assert len(users) == 14
    assert users[2] == (3, user(3, title="edited"))
    store = opened(filled)
    with store.writing() as tx:
        tx.insert("User", user(99))
        assert tx.position("User", "u99") == 16
    store.close()


def test_an_empty_file_is_an_empty_store(path):
    path.parent.mkdir()
    path.touch()
    assert state(path)["User"] == []


def test_tinydb_works_inside_a_transaction(filled):
    store = opened(filled)
    with store.writing() as tx:
        users = tx.database.table("User")
        assert users.update({"title": "new"}, where("id") == "u2") == [2]
        assert users.remove(where("id").one_of(["u1", "u15"])) == [1, 15]
        assert users.insert_multiple([user(20), user(21)]) == [16, 17]
        assert len(users) == 15
        assert tx.database.tables() == {"User"}
    with store.reading() as reader:
        assert reader.get("User", "u2").data == user(2, title="new")
        assert reader.database.table("User").count(where("title") == "new") == 1
        assert ids_of(reader.lookup("User", "title", "new")) == ["u2"]
        with pytest.raises(RuntimeError):
            reader.database.table("User").insert(user(30))
    with store.writing() as tx:
        tx.database.drop_table("User")
    with store.reading() as reader:
        assert reader.count("User") == 0
    store.close()
    assert state(filled)["User"] == []


def test_what_could_not_be_read_again_is_not_written(filled):
    store = opened(filled)
    for kind, document in [("User", {"id": 5}), ("User", {}), ("_tinyscim", user(20)), ("", user(20))]:
        with pytest.raises((TypeError, ValueError)), store.writing() as tx:
            tx.insert(kind, document)
    store.close()
    assert len(state(filled)["User"]) == 15


def test_tinydb_may_change_an_id(filled):
    store = opened(filled)
    with store.writing() as tx:
        tx.database.table("User").update({"id": "new"}, doc_ids=[3])
        assert (tx.get("User", "u3"), tx.get("User", "new").data["userName"]) == (None, user(3)["userName"])
        with pytest.raises(Duplicate):
            tx.database.table("User").update({"id": "u1"}, doc_ids=[3])
    store.close()
    assert [document["id"] for _, document in state(filled)["User"]][:4] == ["u1", "u2", "new", "u4"]


def test_a_version_is_let_go_with_its_last_reader(filled):
    store = opened(filled)
    gc.disable()
    try:
        with store.reading() as reader:
            version = weakref.ref(reader.version)
            assert len(reader.database.table("User")) == 15
        del reader
        with store.writing() as tx:
            tx.insert("User", user(20))
        del tx
        with store.reading() as reader:
            assert reader.count("User") == 16
        assert version() is None
    finally:
        gc.enable()
        store.close()


def test_positions_are_not_given_again_after_compacting_and_reopening(filled):
    store = opened(filled)
    with store.writing() as tx:
        tx.delete("User", "u15")
    with store.writing() as tx:
        tx.insert("Group", {"id": "g", "displayName": "g"})
    with store.writing() as tx:
        tx.delete("Group", "g")
    store.compact()
    store.close()
    store = opened(filled)
    store.compact()
    with store.writing() as tx:
        tx.insert("User", user(16))
        tx.insert("Group", {"id": "g", "displayName": "g"})
        assert (tx.position("User", "u16"), tx.position("Group", "g")) == (16, 2)
    store.close()


def test_an_index_that_is_declared_later_is_filled(filled):
    store = TinyDBStore(filled)
    store.open([Index("User", "number", lambda document: [document["id"][1:]])])
    with store.reading() as reader:
        assert ids_of(reader.lookup("User", "number", "12")) == ["u12"]
    store.close()


def test_making_a_store_and_closing_it_touches_nothing(path):
    TinyDBStore(path).close()
    assert not path.parent.exists()


def test_a_store_that_is_not_open_says_so(path):
    with pytest.raises(RuntimeError, match="not open"), TinyDBStore(path).reading():
        pass


def test_the_files_are_for_their_owner_alone(filled):
    for file in (filled, journal_of(filled)):
        assert file.stat().st_mode & 0o777 == 0o600


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
def test_a_file_that_is_no_tinydb_file_of_documents_with_ids_stops_the_start(path, content):
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


def test_a_compaction_writes_over_no_journal_that_goes_on(filled, half_compacted):
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
def test_what_a_compaction_began_and_did_not_get_to_use_is_no_damage(filled, left):
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
    assert "is missing" in refusal(filled)


def test_a_layout_from_the_future_stops_the_start(filled):
    content = filled.read_text().replace('"layout":1', '"layout":2')
    filled.write_text(content)
    assert f"{filled} has layout 2, this Tinyscim knows 1: use a newer Tinyscim" in refusal(filled)


def test_the_snapshot_says_its_layout(filled):
    assert json.loads(filled.read_text())["_tinyscim"]["1"]["layout"] == 1


STRICT = [*INDEXES, Index("User", "emails", lambda document: [email["value"] for email in document.get("emails", ())])]


def strict_refusal(path):
    with pytest.raises(StoreCorrupted) as caught:
        TinyDBStore(path).open(STRICT)
    return str(caught.value)


@pytest.mark.parametrize("compacted", [True, False])
def test_a_document_that_an_index_fails_on_stops_the_start_until_it_is_repaired(path, compacted):
    store = opened(path)
    for number in (1, 2, 3):
        with store.writing() as tx:
            tx.insert("User", user(number, **({"emails": "text"} if number == 2 else {})))
    if compacted:
        store.compact()
    store.close()
    files = Files(path)
    place = f"{path}, line 4" if compacted else f"{files.journal(1)}, line 3"
    message = strict_refusal(path)
    assert f"{place}: User 'u2' is not of the form that emails needs" in message
    assert "flask store repair" in message
    (problem,) = check(files, STRICT).problems
    assert str(problem).startswith(place)
    _, folder = repair(files, STRICT)
    assert b'"emails":"text"' in (folder / "left-out").read_bytes()
    assert [position for position, _ in state(path)["User"]] == [1, 3]
    store = TinyDBStore(path)
    store.open(STRICT)
    store.close()


def test_a_snapshot_that_stock_tinydb_rewrites_meanwhile_is_said_to_be_rewritten(filled):
    store = opened(filled)
    with TinyDB(filled) as db:
        db.table("User").update({"title": "edited"}, where("id") == "u3")
    with pytest.raises(StoreCorrupted, match="another program, such as TinyDB, has rewritten the file"):
        store.compact()
    store.close()
    users = state(filled)["User"]
    assert len(users) == 15
    assert users[2] == (3, user(3, title="edited"))


def test_repair_keeps_a_block_that_does_not_match_and_puts_its_lines_aside(filled):
    filled.write_bytes(filled.read_bytes().replace(b"User3@", b"User4@"))
    salvage, folder = repair(Files(filled))
    (outcome,) = salvage.outcomes()
    assert outcome.startswith(f"{filled}, line 1: lines 1 to 13 do not match their checksum")
    assert outcome.endswith("is kept, but not to be trusted")
    assert (folder / "left-out").read_bytes().count(b"@example.com") == 10
    assert len(state(filled)["User"]) == 15


@pytest.mark.parametrize(
    ("position", "what", "kept"),
    [
        (b"2", "left out: {}, line 5: User 2 has the position of another", 14),
        (b"0", "left out: {}, line 5: User 0 has the position of another, or none", 14),
    ],
)
def test_repair_says_which_positions_repeat(filled, position, what, kept):
    filled.write_bytes(filled.read_bytes().replace(b'"3":{', b'"%s":{' % position))
    salvage, folder = repair(Files(filled))
    assert any(outcome.startswith(what.format(filled)) for outcome in salvage.outcomes())
    assert b'"u3"' in (folder / "left-out").read_bytes()
    users = dict(state(filled)["User"])
    assert len(users) == kept
    assert users[2]["id"] == "u2"


def test_repair_puts_positions_that_go_backwards_in_order_and_says_so(filled):
    lines = filled.read_bytes().splitlines(keepends=True)
    lines[4], lines[5] = lines[5], lines[4]
    filled.write_bytes(b"".join(lines))
    outcomes = list(repair(Files(filled))[0].outcomes())
    assert f"{filled}, line 6: User 3 is out of order; it is kept, but not to be trusted" in outcomes
    assert [position for position, _ in state(filled)["User"]] == list(range(1, 16))


@pytest.mark.parametrize("target", ["there", "none", "link"])
def test_a_private_file_is_not_what_a_link_leads_to(tmp_path, target):
    (tmp_path / "there").write_bytes(b"kept")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_private(tmp_path / "link", os.O_RDWR)
    assert {path.name for path in tmp_path.iterdir()} == {"there", "link"}


@pytest.mark.parametrize("opened", [open_to_read, lambda path: open_private(path, os.O_RDWR)])
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path, opened):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        opened(tmp_path / "pipe")


def test_a_folder_for_files_put_aside_is_never_one_that_is_there(tmp_path, monkeypatch):
    files, free = Files(tmp_path / "data"), Files.aside
    (tmp_path / "elsewhere").mkdir()

    def aside(self, label):
        path = free(self, label)
        if path.name.endswith(".1"):
            path.symlink_to("elsewhere")
        return path

    monkeypatch.setattr(Files, "aside", aside)
    assert files.make_aside("aside").name == "data.aside.2"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_private_file_that_is_removed_while_it_is_opened_is_made_anew(tmp_path, monkeypatch):
    path, usual, tried = tmp_path / "file", os.open, []

    def removing(name, flags, *mode):
        tried.append(flags)
        if len(tried) == 2:
            path.unlink()
        return usual(name, flags, *mode)

    path.touch()
    monkeypatch.setattr(os, "open", removing)
    descriptor = open_private(path, os.O_RDWR)
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)


def test_processes_that_make_a_private_file_at_once_share_it(tmp_path):
    def opened(name):
        descriptor = open_private(tmp_path / name, os.O_RDWR)
        try:
            return os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)

    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            assert len(set(pool.map(opened, [str(number)] * 8))) == 1
