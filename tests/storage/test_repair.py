"""Repair keeps every readable document, and reports the others."""

import pytest

from storage.base import Index, StoreCorrupted
from storage.engine.paths import Files
from storage.maintenance.repair import check, repair
from storage.tinydb_store import TinyDBStore
from tests.support.storage import INDEXES, membership, opened, state, user

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


def test_repair_loses_at_most_the_record_of_a_flipped_bit(path):
    store = opened(path)
    with store.writing() as tx:
        for number in range(20):
            tx.insert("User", user(number))
            tx.insert("Membership", membership("g", f"u{number}"))
        tx.insert("Group", {"id": "g", "displayName": "G"})
    store.compact()
    store.close()
    whole = path.read_bytes()
    names = [whole.index(b'"%s":{\n' % kind) for kind in (b"User", b"Membership", b"Group")]
    for place in {*range(20), *(start + offset for start in names for offset in range(-4, 16))}:
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            salvage = check(Files(path), INDEXES)
            assert salvage.problems, (place, bit)
            assert sum(map(len, salvage.tables.values())) >= 40, (place, bit)
            assert set(salvage.tables) == {"User", "Membership", "Group"} or place >= names[2]
