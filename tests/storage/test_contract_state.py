"""The contract of every store: the small objects beside its documents."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.storage import insert, opened, user_ids


def test_a_state_is_empty_at_first_and_then_what_was_written(store):
    assert store.state("sessions").read() == {}
    with store.state("sessions").changing() as value:
        value["a"] = {"b": [1.5, None, "é"]}
    assert store.state("sessions").read() == {"a": {"b": [1.5, None, "é"]}}
    assert store.state("other").read() == {}


def test_an_exception_leaves_a_state_as_it_was(store):
    with store.state("sessions").changing() as value:
        value["a"] = [1]
    with pytest.raises(ZeroDivisionError):
        append_and_fail(store)
    assert store.state("sessions").read() == {"a": [1]}


def append_and_fail(store):
    with store.state("sessions").changing() as value:
        value["a"].append(2)
        raise ZeroDivisionError


def test_changes_of_a_state_are_made_one_at_a_time(store, hasty_threads):
    def count(_):
        with store.state("count").changing() as value:
            value["n"] = value.get("n", 0) + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(100)))
    assert store.state("count").read() == {"n": 100}


def test_a_state_changes_apart_from_the_documents(store):
    with store.reading() as reader:
        before = reader.version
    with store.state("sessions").changing() as value:
        value["a"] = 1
    with store.reading() as reader:
        assert reader.version is before
    with pytest.raises(ZeroDivisionError):
        write_both_and_fail(store)
    assert store.state("sessions").read() == {"a": 2}
    insert(store, 1)
    assert user_ids(store) == ["u1"]


def write_both_and_fail(store):
    with store.writing() as tx:
        tx.insert("User", {"id": "u1", "userName": "ann"})
        with store.state("sessions").changing() as value:
            value["a"] = 2
        raise ZeroDivisionError


def test_a_damaged_file_of_a_state_counts_as_empty(path):
    store = opened(path)
    for text in ("", "{", "[1]", "\x00", "[" * 100_000):
        path.with_suffix(".sessions.json").write_text(text)
        assert store.state("sessions").read() == {}
    with store.state("sessions").changing() as value:
        value["a"] = 1
    assert store.state("sessions").read() == {"a": 1}
    store.close()
