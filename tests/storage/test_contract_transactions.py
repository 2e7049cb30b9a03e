"""The contract of every store: transactions and threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.base import Busy, Duplicate
from tests.support.storage import data_of, ids_of, insert, membership, user, user_ids


def test_an_exception_undoes_all_changes(full):
    def fail():
        with full.writing() as tx:
            tx.insert("User", user(8))
            tx.replace("User", user(1, title="other"))
            tx.delete("User", "u2")
            tx.delete("User", "u1")
            tx.insert("Group", {"id": "g1", "displayName": "G"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with full.reading() as reader:
        assert ids_of(reader.scan("User")) == [f"u{n}" for n in range(1, 8)]
        assert reader.get("User", "u1").data == user(1, title="odd")
        assert ids_of(reader.lookup("User", "title", "odd")) == ["u1", "u3", "u5", "u7"]
        assert reader.count("Group") == 0
    with full.writing() as tx:
        tx.insert("User", user(8))


def test_a_writer_sees_its_own_changes(full):
    with full.writing() as tx:
        tx.insert("User", user(8, title="odd"))
        tx.delete("User", "u1")
        tx.replace("User", user(2, title="odd"))
        assert tx.get("User", "u1") is None
        assert tx.get("User", "u2").data == user(2, title="odd")
        assert ids_of(tx.lookup("User", "title", "odd")) == ["u2", "u3", "u5", "u7", "u8"]
        assert ids_of(tx.scan("User", limit=2)) == ["u2", "u3"]
        assert tx.count("User") == 7


def test_a_writer_may_delete_what_it_walks_over(full):
    with full.writing() as tx:
        for stored in tx.lookup("User", "title", "odd"):
            tx.delete("User", stored.data["id"])
        for stored in tx.scan("User"):
            tx.delete("User", stored.data["id"])
        assert tx.count("User") == 0


def test_unique_keys_can_be_swapped_in_one_transaction(full):
    with full.writing() as tx:
        tx.replace("User", user(1) | {"userName": "aside"})
        tx.replace("User", user(2) | {"userName": "user1@example.com"})
        tx.replace("User", user(1) | {"userName": "user2@example.com"})
    with full.reading() as reader:
        assert ids_of(reader.lookup("User", "userName", "user1@example.com")) == ["u2"]
        assert ids_of(reader.lookup("User", "userName", "user2@example.com")) == ["u1"]


def test_a_document_with_the_same_key_twice_is_in_the_index_once(store):
    with store.writing() as tx:
        tx.insert("Membership", membership("g", "m"))
        tx.replace("Membership", membership("g", "m"))
    with store.reading() as reader:
        assert ids_of(reader.lookup("Membership", "group", "g")) == ["g.m"]


def test_reading_cannot_change_anything(full):
    with full.reading() as reader, pytest.raises((RuntimeError, AttributeError)):
        reader.insert("User", user(8))


def test_members_of_large_groups_come_and_go_in_order(store):
    with store.writing() as tx:
        for number in range(300):
            tx.insert("Membership", membership("big", f"m{number}"))
            tx.insert("Membership", membership(f"small{number % 3}", f"m{number}"))
    with store.writing() as tx:
        for number in range(0, 300, 2):
            tx.delete("Membership", f"big.m{number}")
        tx.insert("Membership", membership("big", "m0"))
    with store.reading() as reader:
        members = [document["member"] for document in data_of(reader.lookup("Membership", "group", "big"))]
        assert members == [f"m{n}" for n in range(1, 300, 2)] + ["m0"]
        assert ids_of(reader.lookup("Membership", "member", "m1")) == ["big.m1", "small1.m1"]
    with store.writing() as tx:
        for document in data_of(tx.lookup("Membership", "group", "big")):
            tx.delete("Membership", document["id"])
        assert ids_of(tx.lookup("Membership", "group", "big")) == []


def test_of_threads_that_write_the_same_key_one_succeeds(store):
    outcomes = []

    def create(number):
        try:
            with store.writing() as tx:
                tx.insert("User", user(number) | {"userName": "same"})
            outcomes.append("kept")
        except Duplicate:
            outcomes.append("duplicate")

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["duplicate"] * 7 + ["kept"]


def test_readers_never_see_half_a_transaction(store, hasty_threads):
    with store.writing() as tx:
        tx.insert("User", user(1, title="0"))
        tx.insert("Group", {"id": "g", "displayName": "0"})
    stop, torn = threading.Event(), []

    def read():
        while not stop.is_set():
            with store.reading() as reader:
                title, name = reader.get("User", "u1").data["title"], reader.get("Group", "g").data["displayName"]
                if title != name:
                    torn.append((title, name))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    for number in range(100):
        with store.writing() as tx:
            tx.replace("User", user(1, title=str(number)))
            tx.replace("Group", {"id": "g", "displayName": str(number)})
    stop.set()
    for thread in readers:
        thread.join()
    assert torn == []


def test_exclusive_work_is_done_once_at_a_time(store):
    with store.exclusive("purge") as is_held:
        assert is_held()
        with pytest.raises(Busy, match="purge"), store.exclusive("purge"):
            pass
        with ThreadPoolExecutor() as pool, pytest.raises(Busy):
            pool.submit(store.exclusive("purge").__enter__).result()
        with store.exclusive("other"):
            insert(store, 1)
    with pytest.raises(ZeroDivisionError), store.exclusive("purge"):
        raise ZeroDivisionError
    with store.exclusive("purge"):
        assert user_ids(store) == ["u1"]
