"""The render cache: a cached resource equals a freshly rendered one, and the cache is bounded."""

import gc
import weakref

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scim.directory import rendering
from storage.memory import MemoryStore
from storage.tinydb_store import TinyDBStore
from tests.support.urns import ENT

names = st.sampled_from(["Ann", "Bea", "Cy"])
someone, some_group = st.integers(0, 3), st.integers(0, 2)


class Directory(RuleBasedStateMachine):
    """Users and groups that change, read through an application with a cache and through a new one."""

    make_scim = None  # set below, as hypothesis makes the machine itself
    store = None

    @initialize()
    def create_directory(self):
        self.used = self.make_scim(store=self.store())
        self.users = [self.used.create_user(displayName="Ann")["id"] for _ in range(4)]
        self.groups = [self.used.create_group()["id"] for _ in range(3)]

    @rule(number=someone, name=names)
    def rename_user(self, number, name):
        self.change(f"/Users/{self.users[number]}", "displayName", name)

    @rule(number=some_group, name=names)
    def rename_group(self, number, name):
        self.change(f"/Groups/{self.groups[number]}", "displayName", f"{name} {number}")

    @rule(number=someone, manager=someone)
    def give_a_manager(self, number, manager):
        self.change(f"/Users/{self.users[number]}", f"{ENT}:manager", self.users[manager])

    @rule(number=some_group, member=someone)
    def join(self, number, member):
        self.change(f"/Groups/{self.groups[number]}", "members", [{"value": self.users[member]}], "add")

    @rule(number=some_group, member=some_group)
    def nest(self, number, member):
        self.change(f"/Groups/{self.groups[number]}", "members", [{"value": self.groups[member]}], "add")

    @rule(number=some_group, member=someone)
    def leave(self, number, member):
        operation = {"op": "remove", "path": f'members[value eq "{self.users[member]}"]'}
        self.used.patch_op(f"/Groups/{self.groups[number]}", operation)

    @rule(number=someone)
    def delete_user(self, number):
        self.used.delete(f"/Users/{self.users[number]}")
        self.users[number] = self.used.create_user(displayName="Bea")["id"]

    @rule(number=some_group)
    def delete_group(self, number):
        self.used.delete(f"/Groups/{self.groups[number]}")
        self.groups[number] = self.used.create_group()["id"]

    @invariant()
    def every_answer_is_what_is_made_anew(self):
        store = self.used.app.extensions["tinyscim"].store
        new = self.make_scim(store=store)
        for path in ("/Users", "/Groups", *(f"/Users/{id}" for id in self.users)):
            assert self.used.read(path) == new.read(path), path

    def change(self, path, name, value, op="replace"):
        answer = self.used.patch_op(path, {"op": op, "path": name, "value": value})
        assert answer.status in (200, 204), answer.body

    def teardown(self):
        self.used.app.extensions["tinyscim"].store.close()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["memory", "tinydb"])
def test_a_cached_resource_equals_one_rendered_anew(make_scim, tmp_path_factory, kind):
    class Machine(Directory):
        pass

    def store():
        folder = tmp_path_factory.mktemp("kept")
        return MemoryStore() if kind == "memory" else TinyDBStore(folder / "data.json", durability="os")

    Machine.make_scim, Machine.store = staticmethod(make_scim), staticmethod(store)
    run = Machine.TestCase()
    run.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
    run.runTest()


def test_each_base_url_has_entries_of_its_own(scim):
    path = f"/Users/{scim.create_user()['id']}"
    locations = [scim.get(path, {"Host": host}).body["meta"]["location"] for host in ("a.example", "b.example") * 2]
    assert locations == [f"http://{host}{scim.base_path}{path}" for host in ("a.example", "b.example") * 2]


def test_the_cache_is_bounded(monkeypatch, make_scim):
    monkeypatch.setattr(rendering, "CACHE_BYTES", 3_000)
    scim = make_scim()
    ids = [scim.create_user()["id"] for _ in range(20)]
    for _ in range(2):
        assert [scim.read(f"/Users/{id}")["id"] for id in ids] == ids
        assert [user["id"] for user in scim.read("/Users")["Resources"]] == ids


def test_a_resource_is_rendered_once_between_writes(monkeypatch, make_scim):
    made = []
    make = rendering.ResourceRenderer.render
    monkeypatch.setattr(rendering.ResourceRenderer, "render", lambda *args: made.append(args) or make(*args))
    scim = make_scim()
    ann, bea = (scim.create_user()["id"] for _ in "ab")
    made.clear()
    for _ in range(2):
        assert scim.read(f"/Users/{ann}")["id"] == ann
        assert len(scim.read("/Users")["Resources"]) == 2
    assert len(made) == 2
    scim.delete(f"/Users/{bea}")
    scim.read(f"/Users/{ann}")
    assert len(made) == 3


def test_entries_are_freed_with_the_version_that_they_belong_to():
    kept = rendering.RenderCache()
    gc.disable()  # which would come at some time, after many a state
    try:
        before = weakref.ref(kept.at(object()))
        kept.at(object())
        assert before() is None
    finally:
        gc.enable()
