"""The search of the lists: every attribute, words in any order, without accents."""

from functools import partial

import pytest

from storage.base import StoredDocument
from storage.memory import MemoryStore
from tests.support.urns import IDMELON

USERS, GROUPS = "/panel/directory/Users", "/panel/directory/Groups"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.fixture
def people(browser):
    """José works in Zürich for Ada; both have a badge."""
    ada = browser.create_user(userName="ada@example.com", displayName="Ada Lovelace", externalId="5f3adabe-1")
    jose = browser.create_user(
        userName="jose@example.com",
        displayName="José Søndergård",
        emails=[{"type": "work", "value": "j.s@contoso.example", "primary": True}],
        addresses=[{"type": "home", "locality": "Zürich"}],
        **{
            ENTERPRISE: {"employeeNumber": "E-4711", "department": "Forschung", "manager": {"value": ada["id"]}},
            IDMELON: {"extraAttribute3": "Badge 99"},
        },
    )
    return {"Ada": ada["id"], "José": jose["id"]}


def found(page):
    return {
        name for name in ("Ada", "José") if f"{name} " in page.text.partition("Export all")[0].partition("State")[2]
    }


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("E-4711", {"José"}),
        ("forsch", {"José"}),
        ("badge 99", {"José"}),
        ("zurich", {"José"}),
        ("ZÜRICH", {"José"}),
        ("sondergard jose", {"José"}),
        ("Søndergård", {"José"}),
        ("contoso forschung e-47", {"José"}),
        ("jose lovelace", set()),
        ("example.com", {"Ada", "José"}),
        ("home", set()),  # the type of an address
        ("urn", set()),
    ],
)
def test_every_word_is_looked_for_in_every_value(browser, people, search, names):
    assert found(browser.get(USERS, query_string={"q": search})) == names


def test_an_id_is_found_by_its_beginning_but_not_by_chance(browser, people):
    id = people["José"]
    assert found(browser.get(USERS, query_string={"q": id})) == {"José"}
    assert found(browser.get(USERS, query_string={"q": id[:8].upper()})) == {"José"}
    assert found(browser.get(USERS, query_string={"q": id[9:12]})) == set()


def test_the_name_of_a_manager_is_found_where_it_is_shown(browser, people):
    assert found(browser.get(USERS, query_string={"q": "lovelace"})) == {"Ada"}
    manager = f"{ENTERPRISE}:manager.displayName"
    columns = f"choose=1&column=displayName&column={manager}"
    assert found(browser.get(f"{USERS}?{columns}&q=lovelace")) == {"Ada", "José"}
    page = browser.get(f"{USERS}?sort={manager}")
    assert page.text.index("José Søndergård") < page.text.rindex("Ada Lovelace")  # Ada has no manager
    browser.scim(
        "PATCH",
        f"/Users/{people['Ada']}",
        {"Operations": [{"op": "replace", "path": "displayName", "value": "Countess"}]},
    )
    assert found(browser.get(f"{USERS}?q=countess")) == {"José"}  # the name follows


def test_a_change_is_found_at_once(browser, people):
    operations = [{"op": "replace", "path": "title", "value": "Präsident"}]
    browser.scim("PATCH", f"/Users/{people['José']}", {"Operations": operations})
    assert found(browser.get(USERS, query_string={"q": "prasident"})) == {"José"}
    browser.scim("DELETE", f"/Users/{people['José']}")
    assert found(browser.get(USERS, query_string={"q": "prasident"})) == set()


class CountingStore(MemoryStore):
    """Counts the documents that are decoded by scans."""

    decoded = 0

    def scan(self, kind, **given):
        return (StoredDocument(stored.raw, partial(self._decode, stored)) for stored in super().scan(kind, **given))

    def _decode(self, stored, _):
        self.decoded += 1
        return stored.data


def test_a_list_decodes_only_what_was_written_since_the_last_one(make_browser):
    store = CountingStore()
    browser = make_browser(store)
    browser.sign_in()
    users = [browser.create_user(userName=f"user{number}")["id"] for number in range(20)]
    browser.get(f"{USERS}?q=user1")
    assert store.decoded == 20
    browser.get(f"{USERS}?q=user2&order=descending")
    assert store.decoded == 20
    browser.scim("PATCH", f"/Users/{users[0]}", {"Operations": [{"op": "replace", "path": "title", "value": "x"}]})
    browser.create_group(displayName="G", members=[{"value": id} for id in users])
    assert "user0" in browser.get(f"{USERS}?q=x").text
    assert store.decoded == 21


def test_groups_are_searched_too(browser):
    browser.create_group(displayName="Équipe Été", description="Vacances")
    assert "Équipe Été" in browser.get(f"{GROUPS}?q=ete+vacances").text
    assert "No results" in browser.get(f"{GROUPS}?q=hiver").text


def test_the_search_field_says_what_is_searched(browser, people):
    assert 'placeholder="Name, email, employee number' in browser.get(USERS).html


def test_the_list_has_the_user_name_below_the_display_name_and_the_state_second(browser, people):
    page = browser.get(USERS)
    assert "Ada Lovelace ada@example.com Active" in page.text
    assert 'title="José Søndergård"' in page.html  # long values are cut off
