"""Pages and exports of arbitrary directories and logs never fail and never show a secret."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.planted_secrets import SECRET_NAMES, Planted

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MANY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

NAMES = st.sampled_from(
    [
        *("userName", "displayName", "emails", "name", "members", "active", "manager", "title", ENTERPRISE, "photos"),
        *("urn:x", "urn:", "urn", ":", "", "a:b", 'urn:"x"\n:y', f"{ENTERPRISE}:", f"{ENTERPRISE}:x", "value", "$ref"),
    ]
) | st.text(max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**20, 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
    | st.sampled_from(["=1+1", "bulkId:x", "\x1b[2J", "2026-01-31T12:00:00Z", "9999-12-31T23:59:59-12:00", "\u202e"])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
BODIES = st.dictionaries(NAMES, ANYTHING, max_size=6)
FIELDS = st.sampled_from(
    [
        *("time", "id", "actions", "status", "method", "path", "by", "ms", "type", "who", "changes", "joined", "left"),
        *("moved", "unknown", "query", "request", "response", "request_id", "client_request_id", "cause", "other"),
    ]
)
WHO = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "user_name", "display_name", "more"), ANYTHING))
PARTS = {
    "actions": st.lists(st.sampled_from(["created", "updated", "failed", "joined", "lost", "danced"]) | ANYTHING),
    "status": st.sampled_from([0, 200, 400, 404, 409, 500, -1, 10**30, True]),
    "type": st.sampled_from(["User", "Group", "", "Nothing"]),
    "who": WHO,
    "joined": st.lists(WHO | ANYTHING, max_size=3),
    "left": st.lists(WHO | ANYTHING, max_size=3),
    "changes": st.dictionaries(NAMES, st.lists(ANYTHING, min_size=2, max_size=2) | ANYTHING, max_size=4),
    "unknown": st.lists(NAMES | ANYTHING, max_size=3),
    "response": st.fixed_dictionaries({}, optional={"detail": ANYTHING, "scimType": ANYTHING}),
}
ODD = [
    b"[]",
    b"null",
    b"[" * 5_000 + b"]" * 5_000,
    b'{"time":"%s","id":"deep","actions":["created"],"request":' + b'{"a":' * 900 + b"1" + b"}" * 901,
    b'{"time":"%s","id":"half","actions":["failed"],"status":400,"path":"\\ud800","who":{"user_name":"\\udfff"}}',
    b'{"time":"%s","id":"inf","actions":["failed"],"status":1e999,"ms":NaN}',
    b'{"time":"%s","id":"../x","actions":["failed"]}',
    b'{"time":"9999-99-99T99:99:99.999999Z","id":"never","actions":["failed"]}',
    b'{"time":"%s","id":"digits","actions":["updated"],"moved":' + b"9" * 5_000 + b"}",
    b'{"time":"%s","id":"raw","actions":["updated"],"path":"\xff\xfe\x00"}',
]


def render_all(browser, ids=()):
    """Get every page, export and command; return the text of all, and hold the pages to be found."""
    paths = ["/panel/log", "/panel/log/unknown", "/panel/deprovisioning", "/panel/app-integrations"]
    paths += ["/panel/log?result=failure&person=a", "/panel/log?action=created"]
    for kind in ("Users", "Groups"):
        folder = f"/panel/directory/{kind}"
        paths += [folder, f"{folder}.csv", f"{folder}.json", f"{folder}?q=a&sort=displayName&order=descending"]
    paths += list(ids)
    texts = []
    pages = [browser.get(path) for path in paths]
    links = {link for page in pages for link in re.findall(r'href="(/panel/(?:log|directory)/[^"?#]+)"', page.html)}
    pages += [browser.get(link.replace("&amp;", "&")) for link in sorted(links)[:15]]
    for page in pages:
        assert page.status in (200, 404), page.text
        assert "The page failed" not in page.text
        texts.append(page.html)
    for words in ("tail", "tail -n 1000 --person a", "export", "export --format csv", "export --result failure"):
        answer = browser.command("log", *words.split())
        assert answer.exit_code == 0, answer.exception
        texts.append(answer.stdout)
    return texts


@pytest.fixture
def fresh(browser):
    """A browser whose log can be emptied."""
    browser.log = browser.app.extensions["tinyscim.log"]

    def empty():
        browser.log.flush()
        browser.log.files.path.parent.mkdir(exist_ok=True)
        for path in browser.log.files.files():
            path.unlink(missing_ok=True)

    browser.empty = empty
    return browser


@MANY
@given(bodies=st.lists(BODIES, min_size=1, max_size=4), path=NAMES)
def test_pages_show_whatever_clients_have_sent(fresh, bodies, path):
    fresh.empty()
    user = fresh.create_user(userName=f"known-{len(bodies)}-{id(bodies)}", displayName="=1")
    answers = []
    for number, body in enumerate(bodies):
        named = {"userName": f"user-{number}-{id(body)}", "displayName": "x"}
        operations = [{"op": "add", "path": path, "value": body}, {"op": "replace", "value": body}]
        bulk = [
            {"method": "POST", "path": "/Users", "bulkId": "x", "data": {**body, **named}},
            {"method": "DELETE", "path": "bulkId:x"},
            {"method": "PATCH", "path": "/Users/bulkId:y", "data": body},
        ]
        answers += [
            fresh.scim("POST", "/Users", body),
            fresh.scim("POST", "/Users", {**body, **named}),
            fresh.scim("POST", "/Groups", {**body, **named}),
            fresh.scim("PUT", f"/Users/{user['id']}", {**body, "userName": named["userName"] + "b"}),
            fresh.scim("PATCH", f"/Users/{user['id']}", {"schemas": [PATCH_OP], "Operations": operations}),
            fresh.scim("POST", "/Bulk", {"schemas": [BULK], "Operations": bulk}),
        ]
    assert all(answer.status_code < 500 for answer in answers)
    assert all('"status":"500"' not in answer.text for answer in answers)
    render_all(fresh)
    fresh.scim("DELETE", f"/Users/{user['id']}")


def lines_of(entries):
    now = datetime.now(UTC)
    for number, entry in enumerate(entries):
        time = f"{now:%Y-%m-%dT%H:%M:%S}.{number:06}Z"
        yield json.dumps({"time": time, "id": f"id{number}", **entry}).encode()


@st.composite
def entries(draw):
    fields = draw(st.lists(FIELDS, unique=True, max_size=12))
    return {name: draw(PARTS.get(name, ANYTHING) | ANYTHING) for name in fields}


@MANY
@given(found=st.lists(entries(), min_size=1, max_size=5))
def test_pages_show_whatever_is_in_the_file(fresh, found):
    fresh.empty()
    fresh.log.files.path.write_bytes(b"\n".join([*lines_of(found), b""]))
    render_all(fresh, [f"/panel/log/id{number}" for number in range(len(found))])


def test_pages_show_what_is_odd_and_pass_over_what_is_no_entry(fresh):
    fresh.empty()
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000000Z".encode()
    good = b'{"time":"%s","id":"good","actions":["created"],"status":201,"path":"/good"}'
    written = [one.replace(b"%s", now) for one in (*ODD, good)]
    fresh.log.files.path.write_bytes(b"\n".join([*written, b""]))
    texts = render_all(fresh, ["/panel/log/half", "/panel/log/deep", "/panel/log/raw"])
    assert any("/good" in text for text in texts)
    exported = [json.loads(line)["id"] for line in fresh.command("log", "export").stdout.splitlines()]
    assert {"good", "half"} <= set(exported)


@pytest.mark.parametrize("name", ["urn:x", "urn:", "urn:x:y", 'urn:a:"b"', "urn:a:b:c\n[x]", "urn", "a b", "", ":"])
def test_a_strange_attribute_has_a_table_to_paste_all_the_same(fresh, name):
    fresh.create_user(userName="ann", **{name: "x"})
    fresh.scim("PATCH", "/Users/x", {"schemas": [PATCH_OP], "Operations": [{"op": "add", "path": name, "value": 1}]})
    assert fresh.get("/panel/log").status == 200
    assert fresh.get("/panel/log/unknown").status == 200


def test_no_page_has_a_secret(fresh):
    planted = Planted()
    for name in SECRET_NAMES[::3]:
        fresh.scim("POST", "/Users", {"userName": "", name: planted.new(), "title": f"Bearer {planted.new()}"})
    texts = render_all(fresh)
    assert len(texts) > len(SECRET_NAMES) // 3
    assert [planted.found_in(text) for text in texts] == [[]] * len(texts)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *(
            ("=1", "'=1"),
            ("\n=1", "'\n'=1"),
            (" =1", "' =1"),
            ("\uff1d1", "'\uff1d1"),
            ("\uff0b1", "'\uff0b1"),
            ("\uff0d1", "'\uff0d1"),
            ("\uff20a", "'\uff20a"),
        ),
        *(("a;=1", "a;'=1"), ("a; =1", "a; '=1"), ('a;"=1"', 'a;"\'=1"'), ("a\n=1", "a\n'=1"), ("a\t+1", "a\t'+1")),
        *(("a=1", "a=1"), ("a - b", "a - b"), ("a;b", "a;b"), ("ann@example.com; x", "ann@example.com; x")),
    ],
)
def test_no_spreadsheet_takes_a_name_for_a_formula(fresh, text, cell):
    fresh.create_user(userName="ann", displayName=text, title="x")
    for export in (
        fresh.get("/panel/directory/Users.csv").html,
        fresh.command("log", "export", "--format", "csv").stdout,
    ):
        rows = list(csv.reader(io.StringIO(export, newline="")))
        assert cell in rows[1]
