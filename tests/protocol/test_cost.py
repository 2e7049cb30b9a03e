"""What a query costs: counted work grows no faster than its filter and the directory, and its steps are limited."""

import sys
import time
from collections import Counter
from itertools import pairwise

import pytest

from storage.base import StoredDocument
from storage.memory import MemoryStore
from tests.support.urns import ENT

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
USERS, MOST = 60, 9_000
HUGE = 1_000_000_000


class CountingStore(MemoryStore):
    """Counts what is looked up and which documents are read."""

    def __init__(self):
        super().__init__()
        self.counted = Counter()

    def lookup(self, kind, index, key):
        self.counted[index] += 1
        return super().lookup(kind, index, key)

    def get(self, kind, id):
        self.counted["get"] += 1
        return super().get(kind, id)

    def scan(self, kind, **page):
        return map(self._counting, super().scan(kind, **page))

    def _counting(self, stored):
        def decode(_):
            self.counted["decoded"] += 1
            return stored.data

        return StoredDocument(stored.raw, decode)


def joined(form, count, word="or"):
    return f" {word} ".join(form.format(number) for number in range(count))


def search(scim, path="/Users", **parameters):
    return scim.post(f"{path}/.search", {"schemas": [SEARCH], **parameters})


def fill_directory(scim, users=USERS, emails=2):
    """Create users, each one a report of the one before it, who are in two groups of which one is in the other."""
    manager, everybody = {}, scim.create_group()
    for number in range(users):
        addresses = [{"value": f"{number}.{place}@x.example"} for place in range(emails)]
        user = scim.create_user(title=f"Title {number}", emails=addresses, **manager)
        manager = {ENT: {"manager": {"value": user["id"]}}}
        scim.patch_op(f"/Groups/{everybody['id']}", {"op": "add", "path": "members", "value": [{"value": user["id"]}]})
    scim.create_group(members=[{"value": everybody["id"]}])
    return scim


@pytest.fixture(scope="module")
def limited(make_scim):
    return fill_directory(make_scim(limits={"max_query_steps": MOST}))


@pytest.fixture(scope="module")
def counting(make_scim):
    store = CountingStore()
    return fill_directory(make_scim(store=store, limits={"max_query_steps": HUGE})), store


@pytest.fixture(scope="module")
def directories(make_scim):
    """Directories by their number of users."""
    return {size: fill_directory(make_scim(), size) for size in (8, 16, 32)}


@pytest.mark.parametrize(
    "filter",
    [
        joined('groups.value eq "{}"', 400),
        joined('groups.display co "x{}"', 400),
        joined('groups[display co "x{}"]', 200),
        joined('emails[value co "x{}"]', 200),
        joined('emails.value sw "x{}"', 400),
        joined('id co "x{}"', 900),
        joined('id ne "{}"', 900, "and"),
        joined("(id pr and nickName eq 'x{}')".replace("'", '"'), 300),
        "not (" + joined('id co "x{}"', 900) + ")",
        joined(f'{ENT}:manager.displayName co "x{{}}"', 160),
    ],
    ids=lambda filter: filter[:30],
)
def test_a_filter_that_costs_too_much_is_refused_with_what_to_narrow(limited, filter):
    answer = search(limited, filter=filter)
    assert (answer.status, answer.body["scimType"]) == (400, "tooMany")
    assert "eq" in answer.body["detail"]
    assert "indexed attribute" in answer.body["detail"]
    for parameters in ({"cursor": ""}, {"sortBy": "userName"}, {"count": 0}):
        assert search(limited, filter=filter, **parameters).body["scimType"] == "tooMany"


def test_what_stalled_a_directory_is_refused_by_default(make_scim):
    store = MemoryStore()
    scim = make_scim(store=store)
    scim.get("/Users")  # which opens the store
    with store.writing() as writer:
        for number in range(2_100):
            meta = {"resourceType": "User", "created": "2026-01-01T00:00:00Z", "lastModified": "2026-01-01T00:00:00Z"}
            writer.insert("User", {"id": str(number), "userName": f"u{number}", "meta": {**meta, "version": 'W/"1"'}})
    assert search(scim, filter=joined('id co "x{}"', 1_000)).body["scimType"] == "tooMany"
    assert search(scim, filter=joined('id co "x{}"', 10)).body["totalResults"] == 0


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        (joined("id pr", 1_000, "and"), USERS),
        (joined('groups.value eq "x"', 500), 0),
        (joined('groups[display co "x"]', 500), 0),
        (joined('emails[value ew "x.example"]', 400, "and"), USERS),
        (joined('(title sw "title" and (id pr))', 200, "and"), USERS),
        (joined('not (title eq "x")', 500, "and"), USERS),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_repeated_term_counts_once(limited, filter, found):
    assert search(limited, filter=filter).body["totalResults"] == found


@pytest.mark.parametrize(
    "first",
    ['userName eq "{}"', 'emails.value eq "{}"', 'groups.value eq "{}"', 'title eq "{}"', 'nickName pr and id eq "{}"'],
)
def test_many_terms_are_cheap_where_another_decides_first(limited, first):
    rest = joined('id co "x{}"', 900)
    assert search(limited, filter=f"{first.format('none')} and ({rest})").status == 200


def test_sorting_by_other_documents_counts(make_scim):
    scim = fill_directory(make_scim(limits={"max_query_steps": 1_000}))
    for _ in range(4):
        scim.create_group(members=[{"value": id} for id in scim.found("/Users", "id pr")])
    assert search(scim, "/Groups", sortBy="displayName").status == 200
    assert search(scim, "/Groups", sortBy="members.value").body["scimType"] == "tooMany"


@pytest.mark.parametrize(
    "form",
    [
        'groups.value eq "{}"',
        'groups.display co "x{}"',
        'groups[display co "x{}"]',
        'groups.type eq "x{0}" and groups.display co "x{0}"',
        f'{ENT}:manager.displayName co "x{{}}"',
    ],
)
@pytest.mark.parametrize("sorting", [{}, {"sortBy": "groups.display"}])
def test_derived_values_are_computed_once_a_document(counting, form, sorting):
    scim, store = counting

    def lookups(count):
        store.counted.clear()
        assert search(scim, filter=joined(form, count), count=0, **sorting).status == 200
        return store.counted.copy()

    lookups(2)  # from here on the groups of groups are cached
    few, many = lookups(2), lookups(40)
    assert few["decoded"] == USERS
    assert few == many


def test_the_first_page_by_cursor_reads_every_document_once(counting):
    scim, store = counting
    for parameters in ({"filter": "id pr"}, {"sortBy": "userName"}, {"filter": "id pr", "sortBy": "userName"}):
        store.counted.clear()
        answer = search(scim, cursor="", count=7, attributes=["userName"], **parameters)
        assert answer.body["totalResults"] == USERS
        assert store.counted["decoded"] == USERS


def calls(scim, **parameters):
    """Count the functions that Python calls for a search."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event == "call"

    search(scim, **parameters)  # what is remembered is known from here on
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        search(scim, **parameters)
    finally:
        sys.setprofile(before)
    return count


FORMS = (
    'groups.value eq "x{}"',
    'groups.display co "x{}"',
    'groups[display co "x{}"]',
    'emails[value co "x{0}" or type eq "{0}"]',
    'emails.value co "x{}"',
    'id co "x{}"',
    'meta.created lt "2000-01-01T00:00:{0:02}Z"',
    f'{ENT}:manager.displayName co "x{{}}"',
)


def grows_with(sizes, work):
    """Return whether twice the size makes at most twice the work."""
    counts = [work(size) for size in sizes]
    return all(later <= 2.1 * earlier for earlier, later in pairwise(counts)), counts


@pytest.mark.parametrize("form", FORMS)
def test_work_grows_with_the_terms(counting, form):
    scim, _ = counting
    fine, counts = grows_with((12, 24, 48), lambda size: calls(scim, filter=joined(form, size), count=0))
    assert fine, counts


@pytest.mark.parametrize("form", FORMS)
def test_work_grows_with_the_directory(directories, form):
    fine, counts = grows_with(directories, lambda size: calls(directories[size], filter=joined(form, 10), count=0))
    assert fine, counts


@pytest.mark.parametrize("form", FORMS)
def test_a_repeated_term_is_evaluated_once_for_each_user(directories, form):
    def work(filter):
        few, _, many = (calls(scim, filter=filter, count=0) for scim in directories.values())
        return many - few

    once = form.format(7)
    assert work(joined(once, 40)) <= 1.1 * work(joined(once, 2))


@pytest.mark.parametrize(
    "form", ['emails[value co "x{}"]', 'emails.value co "x{}"', 'emails[value co "x{}" or type pr]']
)
def test_work_grows_with_the_elements(make_scim, form):
    directories = {size: fill_directory(make_scim(), 2, size) for size in (20, 40, 80)}
    fine, counts = grows_with(directories, lambda size: calls(directories[size], filter=joined(form, 10), count=0))
    assert fine, counts


def test_work_grows_with_the_nesting(counting):
    scim, _ = counting
    nested = {size: "(" * size + joined('id co "x{}"', 20) + ")" * size for size in (12, 24, 48)}
    fine, counts = grows_with(nested, lambda size: calls(scim, filter=nested[size], count=0))
    assert fine, counts


def test_work_grows_with_the_attributes_that_are_asked_for(scim):
    scim.create_user()
    sizes = (50, 100, 200)
    fine, counts = grows_with(sizes, lambda size: calls(scim, attributes=[f"attribute{size}.{n}" for n in range(size)]))
    assert fine, counts


def test_a_scan_lets_other_threads_run(counting, monkeypatch):
    scim, _ = counting
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    assert search(scim, filter=joined('id co "x{}"', 500), count=0).status == 200
    assert pauses
    assert set(pauses) == {0}
    few = len(pauses)
    assert search(scim, filter=joined('id co "x{}"', 1_000), count=0).status == 200
    assert len(pauses) - few > 1.5 * few
