"""Paging by index (RFC 7644 section 3.4.2.4)."""

import pytest


@pytest.fixture(scope="module")
def seven(make_scim):
    scim = make_scim()
    ids = [scim.create_user(userName=f"user-{n}", title="Odd" if n % 2 else "Even")["id"] for n in range(7)]
    return scim, ids


def page(scim, query):
    answer = scim.get(f"/Users?{query}")
    assert answer.status == 200, answer.body
    body = answer.body
    assert body["itemsPerPage"] == len(body["Resources"])
    return body["startIndex"], body["totalResults"], [found["id"] for found in body["Resources"]]


@pytest.mark.parametrize(
    ("query", "start", "part"),
    [
        ("", 1, slice(0, 7)),
        ("startIndex=1&count=3", 1, slice(0, 3)),
        ("startIndex=4&count=3", 4, slice(3, 6)),
        ("startIndex=7&count=3", 7, slice(6, 7)),
        ("startIndex=8&count=3", 8, slice(0, 0)),
        ("startIndex=5", 5, slice(4, 7)),
        ("startIndex=0&count=2", 1, slice(0, 2)),
        ("startIndex=-9&count=2", 1, slice(0, 2)),
        ("count=0", 1, slice(0, 0)),
        ("count=-1", 1, slice(0, 0)),
        ("startIndex=1000000&count=2", 1000000, slice(0, 0)),
        (f"startIndex={2**64}&count=2", 2**53 - 1, slice(0, 0)),
        (f"startIndex={'9' * 30}", 2**53 - 1, slice(0, 0)),
    ],
)
def test_a_page_has_its_part_of_the_resources(seven, query, start, part):
    scim, ids = seven
    assert page(scim, query) == (start, 7, ids[part])


def test_filtered_results_are_paged(seven):
    scim, ids = seven
    query = "filter=title+eq+%22even%22&startIndex=2&count=2"
    assert page(scim, query) == (2, 4, [ids[2], ids[4]])


@pytest.mark.parametrize("name", ["startIndex", "count"])
def test_very_large_numbers_are_accepted(seven, name):
    scim, _ = seven
    for digits in (19, 20, 30, 31, 5000):
        assert scim.get(f"/Users?{name}={'9' * digits}").status == (200 if digits <= 30 else 400)


@pytest.mark.parametrize("query", ["startIndex=one", "count=many", "count=1.5", "count=%F0%9F%98%80"])
def test_values_that_are_not_numbers_are_invalid(seven, query):
    scim, _ = seven
    assert scim.get(f"/Users?{query}").status == 400


def test_a_page_is_never_larger_than_the_advertised_maximum(make_scim):
    scim = make_scim()
    largest = scim.read("/ServiceProviderConfig")["filter"]["maxResults"]
    assert largest >= 100
    assert scim.get("/Users?count=1000000000").status == 200
