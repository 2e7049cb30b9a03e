"""The contract of every store: documents, indexes, pages and positions."""

import pytest

from storage.base import Duplicate, Missing
from tests.support.storage import INDEXES, ids_of, user


def test_opening_an_open_store_again_leaves_it_as_it_is(full):
    full.open(INDEXES)
    with full.reading() as reader:
        assert reader.count("User") == 7


def test_what_was_inserted_is_there(store):
    with store.writing() as tx:
        tx.insert("User", user(1, name={"givenName": "Ann"}, tags=["a", "b"], age=None, weight=1.5))
    with store.reading() as reader:
        assert reader.get("User", "u1").data == user(
            1, name={"givenName": "Ann"}, tags=["a", "b"], age=None, weight=1.5
        )


def test_any_text_is_kept(store):
    # A lone surrogate is kept, too; a pair is one character in any JSON.
    odd = user(1, title='ÄŒ\u0000\U0001f600\ud800 \u2028\n"\\')
    with store.writing() as tx:
        tx.insert("User", odd)
    with store.reading() as reader:
        assert reader.get("User", "u1").data == odd


def test_numbers_are_kept_as_what_they_are(store):
    weights = [1, 1.0, True, 2**63, 2**64, -(2**70), 0.1 + 0.2, 1e300, None]
    with store.writing() as tx:
        tx.insert("User", user(1))
    for weight in weights:
        with store.writing() as tx:
            tx.replace("User", user(1, weight=weight))
        with store.reading() as reader:
            assert repr(reader.get("User", "u1").data) == repr(user(1, weight=weight))
            assert [key for key in map(repr, weights) if list(reader.lookup("User", "weight", key))] == [repr(weight)]


def test_any_kind_is_kept(store):
    kinds = ["Ü\n", '"', "\ud800"]
    with store.writing() as tx:
        for kind in kinds:
            tx.insert(kind, user(1))
    store.close()
    store.open(INDEXES)
    with store.reading() as reader:
        assert [reader.get(kind, "u1").data for kind in kinds] == [user(1)] * 3


def test_an_unknown_id_or_kind_is_none(full):
    with full.reading() as reader:
        assert reader.get("User", "nobody") is None
        assert reader.get("Thing", "u1") is None
        assert reader.count("Thing") == 0
        assert list(reader.scan("Thing")) == []


def test_the_same_id_twice_is_a_duplicate(full):
    with pytest.raises(Duplicate) as caught, full.writing() as tx:
        tx.insert("User", user(1) | {"userName": "another"})
    assert (caught.value.kind, caught.value.index, caught.value.key) == ("User", "id", "u1")


def test_the_same_id_write_in_thread_kind_is_another_document(full):
    with full.writing() as tx:
        tx.insert("Group", {"id": "u1", "displayName": "G"})
    with full.reading() as reader:
        assert reader.get("Group", "u1").data == {"id": "u1", "displayName": "G"}


def test_a_taken_unique_key_is_a_duplicate(full):
    with pytest.raises(Duplicate) as caught, full.writing() as tx:
        tx.insert("User", user(99) | {"userName": "USER3@EXAMPLE.COM"})
    assert (caught.value.kind, caught.value.index, caught.value.key) == (
        "User",
        "userName",
        "user3@example.com",
    )
    with full.reading() as reader:
        assert reader.get("User", "u99") is None


def test_replacing_with_a_taken_unique_key_is_a_duplicate(full):
    with pytest.raises(Duplicate), full.writing() as tx:
        tx.replace("User", user(1) | {"userName": "user3@example.com"})
    with full.reading() as reader:
        assert reader.get("User", "u1").data == user(1, title="odd")


def test_replacing_a_document_frees_and_takes_its_keys(full):
    with full.writing() as tx:
        tx.replace("User", user(1) | {"userName": "new"})
        tx.insert("User", user(8) | {"userName": "user1@example.com"})
    with full.reading() as reader:
        assert ids_of(reader.lookup("User", "userName", "new")) == ["u1"]
        assert ids_of(reader.lookup("User", "userName", "user1@example.com")) == ["u8"]


def test_replacing_or_deleting_an_unknown_id_is_missing(full):
    with pytest.raises(Missing), full.writing() as tx:
        tx.replace("User", user(99))
    with pytest.raises(Missing), full.writing() as tx:
        tx.delete("User", "u99")
    with pytest.raises(Missing), full.reading() as reader:
        reader.position("User", "u99")


def test_a_duplicate_that_is_caught_leaves_the_transaction_usable(full):
    with full.writing() as tx:
        with pytest.raises(Duplicate):
            tx.insert("User", user(3))
        tx.insert("User", user(8))
    with full.reading() as reader:
        assert reader.count("User") == 8


def test_a_deleted_document_is_gone_and_its_keys_are_free(full):
    with full.writing() as tx:
        tx.delete("User", "u3")
    with full.writing() as tx:
        tx.insert("User", user(30) | {"userName": "user3@example.com"})
    with full.reading() as reader:
        assert reader.get("User", "u3") is None
        assert reader.count("User") == 7
        assert ids_of(reader.lookup("User", "userName", "user3@example.com")) == ["u30"]


def test_lookup_is_in_order_of_creation(full):
    with full.writing() as tx:
        tx.replace("User", user(2, title="odd"))
        tx.delete("User", "u5")
    with full.reading() as reader:
        assert ids_of(reader.lookup("User", "title", "odd")) == ["u1", "u2", "u3", "u7"]
        assert ids_of(reader.lookup("User", "title", "even")) == ["u4", "u6"]
        assert ids_of(reader.lookup("User", "title", "none")) == []
        assert [reader.count("User", "title", key) for key in ("odd", "even", "none")] == [4, 2, 0]


def test_an_undeclared_index_is_an_error(full):
    with pytest.raises(KeyError), full.reading() as reader:
        list(reader.lookup("User", "shoeSize", "44"))


def test_scan_is_in_order_of_creation_even_after_replacing(full):
    with full.writing() as tx:
        tx.replace("User", user(1, title="new"))
    with full.reading() as reader:
        assert ids_of(reader.scan("User")) == [f"u{n}" for n in range(1, 8)]


def test_scan_takes_offset_and_limit(full):
    with full.reading() as reader:
        assert ids_of(reader.scan("User", offset=2, limit=3)) == ["u3", "u4", "u5"]
        assert ids_of(reader.scan("User", offset=6, limit=3)) == ["u7"]
        assert ids_of(reader.scan("User", offset=7)) == []
        assert ids_of(reader.scan("User", limit=0)) == []


def test_scan_goes_on_after_a_position_though_its_document_is_gone(full):
    with full.reading() as reader:
        position = reader.position("User", "u3")
    with full.writing() as tx:
        tx.delete("User", "u3")
    with full.reading() as reader:
        assert ids_of(reader.scan("User", after=position, limit=2)) == ["u4", "u5"]
        assert ids_of(reader.scan("User", after=position, offset=1, limit=2)) == ["u5", "u6"]
        assert ids_of(reader.scan("User", after=10_000)) == []


def test_each_document_of_a_kind_has_a_raw_form_of_its_own(full):
    with full.reading() as reader:
        raw = {stored.data["id"]: stored.raw for stored in reader.scan("User")}
        assert len(set(raw.values())) == 7
        assert reader.get("User", "u3").raw == raw["u3"]
        assert [stored.raw for stored in reader.lookup("User", "title", "even")] == [raw["u2"], raw["u4"], raw["u6"]]


def test_readers_share_a_version_until_the_next_write(full):
    def version():
        with full.reading() as reader:
            return reader.version

    before = version()
    assert version() is before
    with full.writing() as tx:
        tx.replace("User", user(1, title="new"))
    after = version()
    assert version() is after is not before


def test_pages_of_a_large_table_fit_together(store):
    with store.writing() as tx:
        for number in range(1, 1601):
            tx.insert("User", user(number))
    with store.writing() as tx:
        for number in [*range(300, 700), *range(1024, 1536)]:
            tx.delete("User", f"u{number}")
    with store.reading() as reader:
        everybody = ids_of(reader.scan("User"))
        assert len(everybody) == reader.count("User") == 688
        assert [ids_of(reader.scan("User", offset=place, limit=1)) for place in range(688)] == [
            [id] for id in everybody
        ]
        after, seen = 0, []
        while page := ids_of(reader.scan("User", after=after, limit=50)):
            seen += page
            after = reader.position("User", page[-1])
        assert seen == everybody


def test_positions_rise_and_are_never_given_twice(full):
    with full.reading() as reader:
        positions = [reader.position("User", f"u{n}") for n in range(1, 8)]
    assert positions == sorted(set(positions))
    assert positions[0] >= 1
    with full.writing() as tx:
        tx.delete("User", "u7")
    with full.writing() as tx:
        tx.insert("User", user(7))
    with full.reading() as reader:
        assert reader.position("User", "u7") > positions[-1]


def test_a_replaced_document_keeps_its_position(full):
    with full.writing() as tx:
        before = tx.position("User", "u4")
        tx.replace("User", user(4, title="x"))
        assert tx.position("User", "u4") == before
    with full.reading() as reader:
        assert reader.position("User", "u4") == before


def test_documents_are_sorted_by_an_index_page_by_page(store):
    titles = {1: "b", 2: None, 3: "a", 4: "B", 5: None, 6: "c"}
    with store.writing() as tx:
        for number, title in titles.items():
            tx.insert("User", user(number, **({"title": title} if title else {})))
    with store.reading() as reader:
        ascending, descending = ["u3", "u1", "u4", "u6", "u2", "u5"], ["u2", "u5", "u6", "u1", "u4", "u3"]
        assert ids_of(reader.scan_sorted("User", "title")) == ascending
        assert ids_of(reader.scan_sorted("User", "title", descending=True)) == descending
        assert ids_of(reader.scan_sorted("User", "title", offset=1, limit=2)) == ["u1", "u4"]
        assert ids_of(reader.scan_sorted("User", "title", offset=5, limit=9)) == ["u5"]
        assert ids_of(reader.scan_sorted("Group", "displayName")) == []


def test_the_order_of_an_index_follows_each_change(full):
    def order():
        with full.reading() as reader:
            return ids_of(reader.scan_sorted("User", "userName"))

    before = order()
    with full.writing() as tx:
        tx.replace("User", {**tx.get("User", before[0]).data, "userName": "zz@example.com"})
        tx.delete("User", before[1])
        tx.insert("User", user(0))
    assert order() == ["u0", *before[2:], before[0]]


def test_several_documents_are_deleted_at_once_or_none(full):
    with full.writing() as tx:
        with pytest.raises(Missing):
            tx.delete("User", "u2", "gone")
        assert tx.get("User", "u2")
        tx.delete("User", "u2", "u4", "u7")
        assert ids_of(tx.lookup("User", "title", "even")) == ["u6"]
    with full.reading() as reader:
        assert ids_of(reader.scan("User")) == ["u1", "u3", "u5", "u6"]
        assert ids_of(reader.lookup("User", "title", "odd")) == ["u1", "u3", "u5"]
