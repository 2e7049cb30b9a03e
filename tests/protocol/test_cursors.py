"""Paging by cursor (RFC 9865)."""

import re
from urllib.parse import urlencode

import pytest


@pytest.fixture
def users(scim):
    return [scim.create_user(userName=f"user-{n}", title=f"Title {9 - n}")["id"] for n in range(7)]


def fetch(scim, cursor, path="/Users", **query):
    answer = scim.get(f"{path}?{urlencode({'cursor': cursor, 'count': 2, **query})}")
    assert answer.status == 200, answer.body
    return [found["id"] for found in answer.body["Resources"]], answer.body.get("nextCursor")


def rest(scim, cursor, **query):
    seen = []
    while cursor:
        ids, cursor = fetch(scim, cursor, **query)
        seen += ids
    return seen


@pytest.mark.parametrize("first", ["cursor&count=3", "cursor=&count=3"])
def test_cursors_lead_through_all_pages(scim, users, first):
    sizes, seen, url = [], [], f"/Users?{first}"
    while url:
        body = scim.get(url).body
        assert body["totalResults"] == 7
        assert body["itemsPerPage"] == len(body["Resources"])
        sizes.append(len(body["Resources"]))
        seen += [found["id"] for found in body["Resources"]]
        assert "previousCursor" not in body or len(sizes) > 1
        cursor = body.get("nextCursor")
        assert cursor is None or re.fullmatch(r"[A-Za-z0-9._~-]+", cursor)
        url = cursor and f"/Users?cursor={cursor}&count=3"
    assert sizes == [3, 3, 1]
    assert seen == users


def test_last_full_page_has_no_next_cursor(scim, users):
    scim.delete(f"/Users/{users.pop()}")
    _, second = fetch(scim, "")
    _, third = fetch(scim, second)
    ids, end = fetch(scim, third)
    assert (ids, end) == (users[4:], None)


def test_an_empty_result_has_no_cursor(scim):
    assert fetch(scim, "") == ([], None)


def test_paging_is_by_index_by_default(scim, users):
    assert "nextCursor" not in scim.get("/Users?count=2").body
    pagination = scim.read("/ServiceProviderConfig")["pagination"]
    assert (pagination["cursor"], pagination["index"]) == (True, True)
    assert pagination["defaultPaginationMethod"] == "index"
    assert 0 < pagination["defaultPageSize"] <= pagination["maxPageSize"]


@pytest.mark.parametrize("gone", [0, 1, 2, 6])
def test_deleted_resources_do_not_shift_pages(scim, users, gone):
    seen, cursor = fetch(scim, "")
    scim.delete(f"/Users/{users[gone]}")
    assert seen + rest(scim, cursor) == users[:2] + [id for id in users[2:] if id != users[gone]]


def test_new_resources_do_not_shift_pages(scim, users):
    seen, cursor = fetch(scim, "")
    new = scim.create_user()["id"]
    assert [id for id in seen + rest(scim, cursor) if id != new] == users


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("gone", [0, 5, 6])
def test_sorted_pages_are_stable_too(scim, users, order, gone):
    query = {"sortBy": "title", "sortOrder": order}
    expected = list(reversed(users)) if order == "ascending" else users
    seen, cursor = fetch(scim, "", **query)
    assert seen == expected[:2]
    scim.delete(f"/Users/{users[gone]}")
    for title in ("A", "Z"):
        scim.create_user(userName=f"new-{title}", title=title)
    later = [id for id in rest(scim, cursor, **query) if id in users]
    assert later == [id for id in expected[2:] if id != users[gone]]


def test_sorted_pages_include_equal_and_missing_values(scim):
    titles = [None, "same", None, "same", "same", None]
    users = [scim.create_user(**({"title": title} if title else {}))["id"] for title in titles]
    for order in ("ascending", "descending"):
        query = {"sortBy": "title", "sortOrder": order}
        seen, cursor = fetch(scim, "", **query)
        assert sorted(seen + rest(scim, cursor, **query)) == sorted(users)


def test_cursors_page_through_a_filter(scim, users):
    query = {"filter": 'title gt "Title 4"'}
    seen, cursor = fetch(scim, "", **query)
    assert seen + rest(scim, cursor, **query) == users[:5]


def refused(scim, path, **query):
    answer = scim.get(f"{path}?{urlencode({'count': 2, **query})}")
    return answer.status, (answer.body or {}).get("scimType")


def test_a_modified_cursor_is_invalid(scim, users):
    _, cursor = fetch(scim, "")
    for n, character in enumerate(cursor):
        changed = cursor[:n] + ("A" if character != "A" else "B") + cursor[n + 1 :]
        if n < len(cursor) - 1:  # the last character of base64 may have bits that mean nothing
            assert refused(scim, "/Users", cursor=changed) == (400, "invalidCursor")
    for changed in (cursor[:-2], cursor + "AA", cursor[1:], cursor[::-1]):
        assert refused(scim, "/Users", cursor=changed) == (400, "invalidCursor")


@pytest.mark.parametrize("cursor", ["x", "1", "AAAA", "..", "-", "é", "\x00", "a" * 5000, "%"])
def test_a_made_up_cursor_is_invalid(scim, users, cursor):
    assert refused(scim, "/Users", cursor=cursor) == (400, "invalidCursor")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/Groups", {}),
        ("/Users", {"filter": "userName pr"}),
        ("/Users", {"sortBy": "userName"}),
        ("/Users", {"sortOrder": "descending", "sortBy": "title"}),
    ],
)
def test_the_cursor_of_another_query_is_invalid(scim, users, path, query):
    _, cursor = fetch(scim, "")
    assert refused(scim, path, cursor=cursor, **query) == (400, "invalidCursor")


def test_the_cursor_of_another_filter_is_invalid(scim, users):
    _, cursor = fetch(scim, "", filter="userName pr")
    assert refused(scim, "/Users", cursor=cursor) == (400, "invalidCursor")
    assert refused(scim, "/Users", cursor=cursor, filter="title pr") == (400, "invalidCursor")


def test_a_count_other_than_the_cursors_is_invalid(scim, users):
    _, cursor = fetch(scim, "")
    status, scim_type = refused(scim, "/Users", cursor=cursor, count=3)
    assert status == 400
    assert scim_type in {"invalidCount", "invalidCursor"}


def test_search_pages_by_cursor(scim, users):
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 4, "cursor": ""}
    first = scim.post("/Users/.search", body).body
    second = scim.post("/Users/.search", {**body, "cursor": first["nextCursor"]}).body
    assert [found["id"] for found in first["Resources"] + second["Resources"]] == users
    assert "nextCursor" not in second


def test_cursors_page_over_all_resource_types(scim, users):
    group = scim.create_group()["id"]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 3, "cursor": ""}
    seen, cursor = [], ""
    while cursor is not None:
        answer = scim.post("/.search", {**body, "cursor": cursor})
        assert answer.status == 200, answer.body
        seen += [found["id"] for found in answer.body["Resources"]]
        cursor = answer.body.get("nextCursor")
    assert sorted(seen) == sorted([*users, group])


def test_a_count_of_zero_returns_the_total_only(scim, users):
    body = scim.get("/Users?cursor&count=0").body
    assert (body["totalResults"], body["itemsPerPage"], body["Resources"]) == (7, 0, [])
