"""The files: Tinyscim and stock TinyDB read each other's."""

import gc
import json
import weakref
from zlib import crc32

import pytest
from tinydb import TinyDB, where

from storage.base import Index, StoreCorrupted
from storage.engine.paths import Files
from storage.maintenance.repair import check
from storage.tinydb_store import TinyDBStore
from tests.support.commits import wait_for
from tests.support.storage import ids_of, insert, journal_of, opened, reboot, state, user, user_ids


def test_a_lone_surrogate_in_a_line_of_an_older_version_is_read(filled):
    journal = journal_of(filled)
    *_, last = journal.read_bytes().splitlines()
    row = json.dumps(["User", 16, user(16, title="\ud800")])
    line = b'{"sequence":%d,"changes":[%s]}' % (json.loads(last[:-9])["sequence"] + 1, row.encode())
    with journal.open("ab") as file:
        file.write(b"%s %08x\n" % (line, crc32(line, int(last[-8:], 16))))
    reboot(filled)
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
        assert {name: len(db.table(name).all()) for name in db.tables()} == {"User": 15, "_tinyscim": 1}


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


def test_tinydb_queries_a_version_and_does_not_write_it(filled):
    store = opened(filled)
    with store.writing() as tx:
        tx.insert("User", user(20, title="new"))
        assert tx.database.table("User").count(where("title") == "new") == 1
    with store.reading() as reader:
        users = reader.database.table("User")
        assert reader.database.tables() == {"User"}
        assert (len(users), users.get(doc_id=2)["id"], users.get(where("id") == "u20").doc_id) == (16, "u2", 16)
        for write in (lambda: users.insert(user(30)), lambda: users.remove(doc_ids=[3]), reader.database.drop_tables):
            with pytest.raises(RuntimeError, match="use insert, replace or delete"):
                write()
    store.close()
    assert len(state(filled)["User"]) == 16


def test_what_could_not_be_read_again_is_not_written(filled):
    store = opened(filled)
    for kind, document in [("User", {"id": 5}), ("User", {}), ("_tinyscim", user(20)), ("", user(20))]:
        with pytest.raises((TypeError, ValueError)), store.writing() as tx:
            tx.insert(kind, document)
    store.close()
    assert len(state(filled)["User"]) == 15


def test_a_version_is_freed_with_its_last_reader(filled):
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


def test_the_snapshot_says_its_layout(filled):
    assert json.loads(filled.read_text())["_tinyscim"]["1"]["layout"] == 1


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


def test_a_snapshot_that_is_deleted_meanwhile_is_written_again_from_memory(filled, open_store, monkeypatch, caplog):
    monkeypatch.setattr("storage.tinydb_store.TICK", 0.02)
    store = opened(filled)
    before = user_ids(store)
    filled.unlink()
    wait_for(filled.exists)
    insert(store, 20)
    assert f"{filled} was deleted, so it is written again from memory" in caplog.text
    assert user_ids(open_store()) == [*before, "u20"]
    store.close()
    assert not check(Files(filled)).problems
