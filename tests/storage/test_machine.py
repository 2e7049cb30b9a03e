"""Two stores over the same files beside a plain model, with crashes and reopenings between steps."""

import shutil
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storage.base import Duplicate, Missing
from storage.engine.cow import Pages
from tests.support.processes import die_at_step, run
from tests.support.storage import data_of, entries_of, opened

MEMORY = Path("/dev/shm")
ids = st.sampled_from([f"u{number}" for number in range(8)])
names = st.sampled_from(["ann", "Ann", "bob", "cy", ""])
titles = st.sampled_from(["", "x", "y"])
changes = st.tuples(st.sampled_from(["insert", "replace", "delete"]), ids, names, titles)
transactions = st.lists(changes, min_size=1, max_size=4)
stores = st.integers(0, 1)


class Model:
    """Documents in order of creation, and the rules for them."""

    def __init__(self, documents=()):
        self.documents = dict(documents)

    def apply(self, change):
        verb, id, name, title = change
        document = {"id": id, "userName": name, "title": title}
        if verb == "insert":
            if id in self.documents:
                raise Duplicate("User", "id", id)
            self._check(document)
            self.documents[id] = document
        elif id not in self.documents:
            raise Missing("User", id)
        elif verb == "replace":
            self._check(document)
            self.documents[id] = document
        else:
            del self.documents[id]

    def _check(self, document):
        name = document["userName"].casefold()
        for other in self.documents.values():
            if name and other["id"] != document["id"] and other["userName"].casefold() == name:
                raise Duplicate("User", "userName", name)


def apply(tx, change):
    verb, id, name, title = change
    if verb == "delete":
        tx.delete("User", id)
    else:
        getattr(tx, verb)("User", {"id": id, "userName": name, "title": title})


def outcome(function, *args):
    try:
        function(*args)
    except (Duplicate, Missing) as error:
        return type(error), str(error)
    return None


class Abort(Exception):
    pass


class Stores(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        # In memory where there is such a folder: only processes crash here, and each step has its fsyncs.
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.exists() else None))
        self.model = Model()
        self.highest, self.entries = 0, []
        self.stores = []
        self.reopen()

    def reopen(self):
        for store in self.stores:
            store.close()
        self.stores = [opened(self.folder / "data.json", durability="os") for _ in range(2)]

    @rule(store=stores, transaction=transactions, abort=st.booleans())
    def write(self, store, transaction, abort):
        model = Model(self.model.documents)
        try:
            with self.stores[store].writing() as tx:
                for change in transaction:
                    assert outcome(apply, tx, change) == outcome(model.apply, change)
                tx.append({"transaction": transaction})
                self.highest = max([self.highest, *self.check(tx, model)]) if not abort else self.highest
                if abort:
                    raise Abort
            self.model, self.entries = model, [*self.entries, transaction]
        except Abort:
            pass

    @rule(store=stores)
    def compact(self, store):
        self.stores[store].compact()

    @rule()
    def close_and_open(self):
        self.reopen()

    @rule(junk=st.binary(min_size=1, max_size=30).filter(lambda junk: b"\n" not in junk))
    def tear(self, junk):
        """Append part of a line, as a writer that is killed does."""
        files = self.stores[0].files
        with files.journal(files.generations()[-1]).open("ab") as file:
            file.write(junk)

    @rule(transaction=transactions, compact=st.booleans(), step=st.integers(1, 12))
    def crash(self, transaction, compact, step):
        """Kill a process at some step; its write is there whole or not at all."""
        for store in self.stores:
            store.close()
        run(write_and_die, self.folder / "data.json", transaction, compact, step)
        self.reopen()
        after = Model(self.model.documents)
        for change in transaction:
            outcome(after.apply, change)
        with self.stores[0].reading() as reader:
            users = data_of(reader.scan("User"))
            is_kept = len(entries_of(reader)) > len(self.entries)
        assert users == list((after if is_kept else self.model).documents.values())
        self.entries = [*self.entries, transaction] if is_kept else self.entries
        self.model = Model({document["id"]: document for document in users})

    @invariant()
    def all_agree(self):
        for store in self.stores:
            with store.reading() as reader:
                positions = self.check(reader, self.model)
                kept = [[tuple(change) for change in entry["transaction"]] for entry in entries_of(reader)]
            assert kept == self.entries
        self.highest = max([self.highest, *positions])

    def check(self, reader, model):
        everybody = list(model.documents.values())
        assert data_of(reader.scan("User")) == everybody
        assert data_of(reader.scan("User", offset=1, limit=2)) == everybody[1:3]
        assert reader.count("User") == len(everybody)
        for title in ("x", "y"):
            expected = [document for document in everybody if document["title"] == title]
            assert data_of(reader.lookup("User", "title", title)) == expected
        for name in ("ann", "bob", "cy"):
            expected = [document for document in everybody if document["userName"].casefold() == name]
            assert data_of(reader.lookup("User", "userName", name)) == expected
        positions = [reader.position("User", document["id"]) for document in everybody]
        assert positions == sorted(set(positions))
        new = [document["id"] for document in everybody if document["id"] not in self.model.documents]
        assert all(reader.position("User", id) > self.highest for id in new)
        return positions

    def teardown(self):
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)


def write_and_die(path, transaction, compact, step):
    store = opened(path)
    die_at_step(step)
    with store.writing() as tx:
        for change in transaction:
            outcome(apply, tx, change)
        tx.append({"transaction": transaction})
    if compact:
        store.compact()


TestStores = pytest.mark.long(Stores.TestCase)
TestStores.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("size", [10, 5_000])
def test_pages_hold_any_positions_in_order(size):
    chance, pages, model, older = Random(size), Pages(), {}, []
    for number in range(3_000):
        position = chance.randint(1, size)
        if chance.random() < 0.4:
            pages.discard_all([position])
            model.pop(position, None)
        else:
            pages.set(position, number)
            model[position] = number
        if number % 500 == 0:
            older.append((pages, dict(model)))
            pages = pages.fork()
    for held, expected in [*older, (pages, model)]:
        assert list(held.items()) == sorted(expected.items())
        assert len(held) == len(expected)
        for after, offset in [(0, 3), (size // 2, 0), (size // 2, 5), (64, 0), (4096, 1), (size, 0)]:
            above = [row for row in sorted(expected.items()) if row[0] > after]
            assert list(held.items(after, offset)) == above[offset:]
