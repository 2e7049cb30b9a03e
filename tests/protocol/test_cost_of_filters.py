"""The cost of a filter: how its steps are counted, terms that it shares, and limits of its text and lists."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim.budget import Budget
from scim.errors import TooMany
from scim.filters import And, Compare, Not, Or, Present, compile_filter, lexer, parse_filter
from scim.schema import resource_types
from tests.support.urns import USER

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


def search(scim, **parameters):
    return scim.post("/Users/.search", {"schemas": [SEARCH], **parameters})


USER_TYPE = resource_types.load().types["User"]


def spent(filter, document):
    budget = Budget()
    compile_filter(parse_filter(filter), USER_TYPE, budget=budget)(document)
    return budget.spent


@pytest.mark.parametrize(
    ("filter", "name"),
    [('emails.value co "x"', "emails"), ('emails[value co "x"]', "emails"), ("emails[not (value pr)]", "emails")],
)
def test_every_element_that_a_term_is_compared_with_counts(filter, name):
    counts = [spent(filter, {"emails": [{"value": str(n)} for n in range(size)]}) for size in (100, 200, 400)]
    assert 100 <= counts[0] <= 600
    assert [later / earlier for earlier, later in pairwise(counts)] == pytest.approx([2, 2], 0.05)


def test_long_texts_count_for_more():
    short, *long = [spent(f'title co "{"x" * 30}y"', {"title": "x" * size}) for size in (30, 100_000, 200_000)]
    assert short == 1
    assert [count / 100_000 for count in long] == pytest.approx([31 / 4_096, 2 * 31 / 4_096], 0.01)


def test_a_budget_says_at_its_end_what_to_narrow():
    budget = Budget(3, "Ask for less.")
    for _ in range(3):
        budget.spend()
    with pytest.raises(TooMany, match=r"3 steps.*Ask for less\."):
        budget.spend()


LEAVES = [*(Compare("title", op, text) for op in ("eq", "sw") for text in ("a", "ab")), Present("nickName")]
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda trees: st.one_of(
        st.lists(trees, min_size=2, max_size=4).map(lambda terms: And(tuple(terms))),
        st.lists(trees, min_size=2, max_size=4).map(lambda terms: Or(tuple(terms))),
        trees.map(Not),
    ),
    max_leaves=20,
)
DOCUMENTS = st.lists(
    st.fixed_dictionaries({"title": st.sampled_from(["a", "ab", "b"])}, optional={"nickName": st.just("n")})
)


def holds(tree, document):
    match tree:
        case And(terms):
            return all(holds(term, document) for term in terms)
        case Or(terms):
            return any(holds(term, document) for term in terms)
        case Not(term):
            return not holds(term, document)
        case Present():
            return "nickName" in document
    return document["title"] == tree.value if tree.op == "eq" else document["title"].startswith(tree.value)


@given(TREES, DOCUMENTS)
def test_terms_that_are_shared_find_what_they_would_alone(tree, documents):
    predicate = compile_filter(tree, USER_TYPE)
    assert [predicate(one) for one in documents] == [holds(tree, one) for one in documents]


def test_literals_of_two_types_are_two_terms(scim):
    for filter in (
        "active eq true or active eq 1",
        'active eq true and active eq "1"',
        "active eq 1 or active eq true",
    ):
        assert scim.query("/Users", filter=filter).body["scimType"] == "invalidFilter"


UNCLOSED = [
    "'" + "\\'" * 4_000,
    "'a" * 4_000,
    "'" + " 'a" * 4_000,
    '"' + r"\"" * 4_000,
    '"' + "\\" * 8_001,
    r"\"" * 4_000,
    '"" ' * 2_000 + '"',
    '"x' * 2_001,
]


@pytest.mark.parametrize("text", UNCLOSED, ids=lambda text: text[:6])
def test_a_string_that_is_not_closed_is_refused(scim, text):
    answer = search(scim, filter=f"title eq {text}")
    assert (answer.status, answer.body["scimType"]) == (400, "invalidFilter")
    assert "quotation mark" in answer.body["detail"]
    user = scim.create_user()
    operation = {"op": "remove", "path": f"emails[value eq {text}]"}
    assert scim.patch_op(f"/Users/{user['id']}", operation).body["scimType"] in ("invalidPath", "invalidFilter")


@given(st.text("\"'\\a \n[]()"))
def test_no_character_of_a_filter_is_read_twice(text):
    """The pattern matches at every quotation mark, at the first attempt: there is nothing to which it could go back."""
    for place, character in enumerate(text):
        starts_a_word = place == 0 or text[place - 1] in ' \n[]()"'
        if character == '"' or (character == "'" and starts_a_word):
            found = lexer.STRING.match(text, place)
            assert found
            assert found["closed"] or found["ended"] or not text[found.end() :].strip("\\")


@pytest.mark.parametrize(
    "parameters",
    [
        {"attributes": [f"a{n}" for n in range(1_001)]},
        {"excludedAttributes": ["userName"] * 1_001},
        {"schemas": [SEARCH] * 101},
    ],
    ids=["attributes", "excludedAttributes", "schemas"],
)
def test_lists_of_names_are_limited(scim, parameters):
    assert search(scim, **parameters).body["scimType"] == "invalidValue"


def test_a_message_of_patch_has_a_limited_list_of_schemas(scim):
    user = scim.create_user()
    body = {"schemas": [USER] * 101, "Operations": []}
    assert scim.patch(f"/Users/{user['id']}", body).status == 400
