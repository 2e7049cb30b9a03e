"""The contract of every store: the log of entries beside the documents."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from storage.base import Expired
from tests.support.storage import entries_of, insert, user, user_ids


def write(store, number):
    with store.writing() as tx:
        tx.insert("User", user(number))
        tx.append({"number": number})


def end_of(store):
    with store.reading() as reader:
        return reader.end


def read(store, after=""):
    with store.reading() as reader:
        return entries_of(reader, after)


def test_an_entry_is_read_as_it_was_appended(store):
    entry = {"text": 'Ä\ud800 \u2028\n"entry":{\\', "numbers": [1, 1.0, True, 2**70, None], "inner": {"entry": []}}
    with store.writing() as tx:
        tx.append(entry)
    assert repr(read(store)) == repr([entry])


def test_entries_come_in_the_order_of_their_commits_from_any_cursor_on(store):
    for number in range(10):
        write(store, number)
    with store.reading() as reader:
        cursors = ["", *(cursor for cursor, _ in reader.entries(""))]
        assert len(set(cursors)) == 11
        for passed, cursor in enumerate(cursors):
            assert entries_of(reader, cursor) == [{"number": number} for number in range(passed, 10)]
        assert all(cursor.replace("-", "").isalnum() for cursor in cursors[1:])


def test_a_reader_may_stop_and_go_on_after_any_entry(store):
    for number in range(5):
        write(store, number)
    with store.reading() as reader:
        ((cursor, first), (_, second)) = islice(reader.entries(""), 2)
    write(store, 5)
    assert [first["number"], second["number"]] == [0, 1]
    assert [entry["number"] for entry in read(store, cursor)] == [1, 2, 3, 4, 5]


def test_nothing_comes_after_the_end(store):
    assert read(store) == read(store, end_of(store)) == []
    write(store, 1)
    end = end_of(store)
    assert read(store, end) == []
    write(store, 2)
    assert read(store, end) == [{"number": 2}]


def test_a_transaction_that_fails_leaves_no_entry(store):
    def fail():
        with store.writing() as tx:
            tx.insert("User", user(1))
            tx.append({"number": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    write(store, 2)
    assert read(store) == [{"number": 2}]


def test_a_transaction_has_one_entry(store):
    with store.writing() as tx:
        tx.append({"number": 1})
        with pytest.raises(RuntimeError):
            tx.append({"number": 2})
    assert read(store) == [{"number": 1}]


def test_an_entry_needs_no_change_of_a_document(store):
    with store.writing() as tx:
        tx.append({"number": 1})
    assert read(store) == [{"number": 1}]
    assert user_ids(store) == []


def test_a_transaction_without_changes_or_entry_is_not_in_the_log(store):
    write(store, 1)
    end = end_of(store)
    with store.writing() as tx:
        assert tx.get("User", "u1")
    assert read(store, end) == []


def test_a_change_without_an_entry_expires_the_cursors_before_it(store):
    write(store, 1)
    before = end_of(store)
    insert(store, 2)
    after = end_of(store)
    write(store, 3)
    with pytest.raises(Expired):
        read(store, before)
    assert read(store, after) == [{"number": 3}]
    assert read(store) == [{"number": 1}, {"number": 3}]


@pytest.mark.parametrize("cursor", ["x", "-", "1-2", "\ud800", "1" * 100, "²", "1-2-3-4", " 1"])
def test_what_no_store_gives_out_is_not_a_cursor(store, cursor):
    with pytest.raises(ValueError), store.reading() as reader:  # noqa: PT011
        list(reader.entries(cursor))


def test_a_cursor_from_the_future_has_expired(store):
    write(store, 1)
    later = "".join("9" if digit.isdigit() else digit for digit in end_of(store))
    with pytest.raises(Expired):
        read(store, later)


def test_the_log_is_there_after_the_store_was_opened_again(store):
    write(store, 1)
    end = end_of(store)
    write(store, 2)
    store.close()
    store.open([])
    write(store, 3)
    assert read(store, end) == [{"number": 2}, {"number": 3}]


def test_a_reader_sees_the_log_as_it_sees_the_documents(store, hasty_threads):
    stop, torn = threading.Event(), []

    def follow():
        seen, cursor = [], ""
        while not stop.is_set():
            with store.reading() as reader:
                seen += [entry["number"] for entry in entries_of(reader, cursor)]
                cursor = reader.end
                if seen != list(range(reader.count("User"))):
                    torn.append(seen)
        return seen

    with ThreadPoolExecutor() as pool:
        followers = [pool.submit(follow) for _ in range(2)]
        for number in range(100):
            write(store, number)
        stop.set()
    assert torn == []
    assert all(follower.result() == list(range(len(follower.result()))) for follower in followers)


def test_threads_append_their_entries_in_the_order_in_which_their_changes_are_kept(store):
    def count(_):
        for _ in range(20):
            with store.writing() as tx:
                number = tx.count("User")
                tx.insert("User", user(number))
                tx.append({"number": number})

    with ThreadPoolExecutor() as pool:
        list(pool.map(count, range(5)))
    assert [entry["number"] for entry in read(store)] == list(range(100))
