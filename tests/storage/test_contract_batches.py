"""The contract of every store: several documents written or read at once."""

import pytest

from storage.base import Duplicate
from tests.support.storage import ids_of, membership, user


def test_several_documents_are_inserted_in_their_order(store):
    with store.writing() as tx:
        tx.insert("User", user(1))
        tx.insert("User", *(user(number, title="new") for number in range(2, 1_203)))
        tx.insert("User")
        assert ids_of(tx.lookup("User", "title", "new"))[-1] == "u1202"
    with store.reading() as reader:
        assert ids_of(reader.scan("User")) == [f"u{number}" for number in range(1, 1_203)]
        assert reader.count("User") == 1_202
        assert reader.position("User", "u1202") > reader.position("User", "u1201")


@pytest.mark.parametrize(
    ("documents", "index", "key"),
    [
        ([user(8), user(3)], "id", "u3"),
        ([user(8), user(8)], "id", "u8"),
        ([user(8), user(9) | {"userName": "USER8@example.com"}], "userName", "user8@example.com"),
        ([user(8), user(9) | {"userName": "USER2@example.com"}], "userName", "user2@example.com"),
        ([*(user(number) for number in range(8, 1_300)), user(2)], "id", "u2"),
    ],
)
def test_several_documents_are_inserted_or_none(full, documents, index, key):
    with full.writing() as tx:
        with pytest.raises(Duplicate) as caught:
            tx.insert("User", *documents)
        assert (caught.value.kind, caught.value.index, caught.value.key) == ("User", index, key)
        assert tx.count("User") == 7
        assert tx.get("User", "u8") is None
        tx.insert("User", user(8))
    with full.reading() as reader:
        assert ids_of(reader.scan("User")) == [f"u{number}" for number in range(1, 9)]


def test_what_is_read_ahead_is_what_is_there(full):
    with full.writing() as tx:
        tx.prefetch("User", ["u1", "u2", "nobody"])
        tx.prefetch("User", ["odd", "even", "none"], "title")
        assert tx.get("User", "u1").data == user(1, title="odd")
        assert tx.get("User", "nobody") is None
        assert ids_of(tx.lookup("User", "title", "even")) == ["u2", "u4", "u6"]
        assert ids_of(tx.lookup("User", "title", "none")) == []
        tx.replace("User", user(1, title="none"))
        tx.delete("User", "u2")
        tx.insert("User", {"id": "nobody", "userName": "nobody", "title": "even"})
        assert tx.get("User", "u1").data == user(1, title="none")
        assert tx.get("User", "u2") is None
        assert tx.get("User", "nobody").data["userName"] == "nobody"
        assert ids_of(tx.lookup("User", "title", "even")) == ["u4", "u6", "nobody"]
        assert ids_of(tx.lookup("User", "title", "none")) == ["u1"]


def test_more_can_be_read_ahead_than_is_kept(store):
    with store.writing() as tx:
        tx.insert("Membership", *(membership("big", f"m{number}") for number in range(6_000)))
    with store.reading() as reader:
        reader.prefetch("Membership", ["big", "small"], "group")
        assert len(list(reader.lookup("Membership", "group", "big"))) == 6_000
        reader.prefetch("Membership", [f"big.m{number}" for number in range(6_000)])
        reader.prefetch("Membership", ["big.m1"])
        assert reader.get("Membership", "big.m1").data == membership("big", "m1")
        assert reader.get("Membership", "big.m5999").data == membership("big", "m5999")
