"""Cases of transport and of the test connection."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from entra.client import Exchange
from entra.validate.cases import Section
from entra.validate.probe import Probe, nulls_in

SECTION = Section("Connection and transport")
case = SECTION.case
LOST = "Test connection fails; the job goes into quarantine at once."


def _nobody() -> str:
    return f'userName eq "{uuid.uuid4()}"'


@case(
    "Test connection: a search for nobody among the users",
    effect=LOST,
    fix="Answer 200 and a ListResponse with totalResults 0 when nothing matches; never 404.",
    both=False,
)
def _probe_users(probe: Probe) -> None:
    found = probe.search("User", _nobody())
    probe.expect(found == [], f"a search for a random GUID found {len(found)} users")


@case(
    "Test connection: a search for nobody among the groups",
    effect=LOST,
    fix="Answer an empty ListResponse on /Groups, even if no groups are served.",
    both=False,
)
def _probe_groups(probe: Probe) -> None:
    found = probe.search("Group", f'displayName eq "{uuid.uuid4()}"')
    probe.expect(found == [], f"a search for a random GUID found {len(found)} groups")


@case(
    "A list names its keys in SCIM's case and counts in numbers",
    effect="Deserialisation is at risk: totalResults as a string, or resources in lower case.",
    fix="Answer totalResults, startIndex and itemsPerPage as integers, and Resources in that spelling.",
    both=False,
)
def _list_types(probe: Probe) -> None:
    user = probe.new_user()
    exchange = probe.send("GET", "/Users", [("filter", f'userName eq "{user.get("userName")}"')])
    probe.expect_status(exchange, 200)
    body = exchange.response if isinstance(exchange.response, dict) else {}
    probe.expect(type(body.get("totalResults")) is int, f"totalResults is {body.get('totalResults')!r}, not a number")
    for key in {"startIndex", "itemsPerPage"} & set(body):
        probe.expect(type(body[key]) is int, f"{key} is {body[key]!r}, not a number")
    wrong = [key for key in body if key.lower() in _KEYS and key != _KEYS[key.lower()]]
    probe.expect(not wrong, f"wrong case: {', '.join(wrong)}")
    for resource in probe.resources(exchange):
        wrong = [key for key in resource if key.lower() in ("id", "meta", "schemas") and key != key.lower()]
        probe.expect(not wrong, f"wrong case: {', '.join(wrong)}")


_KEYS = {k.lower(): k for k in ("Resources", "totalResults", "startIndex", "itemsPerPage", "schemas")}


@case(
    "Answers hold no nulls",
    effect="Null arrays and attributes break the client's deserialisation, in /Schemas above all.",
    fix="Leave out what has no value, everywhere.",
    both=False,
)
def _no_nulls(probe: Probe) -> None:
    user = probe.new_user()
    for exchange in (
        probe.send("GET", f"/Users/{user['id']}"),
        probe.send("GET", "/Users", [("filter", f'userName eq "{user.get("userName")}"')]),
    ):
        found = list(nulls_in(exchange.response))
        probe.expect(not found, f"null in {exchange.url.partition('?')[0]}: {', '.join(found[:5])}")


@case(
    "Every answer is application/scim+json, errors too",
    effect="Microsoft's validator fails it; the job itself mostly copes.",
    fix="Send Content-Type: application/scim+json with every body.",
    only_warn=True,
    both=False,
)
def _content_type(probe: Probe) -> None:
    for path, query in (("/Users", [("filter", _nobody())]), (f"/Users/{uuid.uuid4()}", [])):
        exchange = probe.send("GET", path, query)
        kind = exchange.content_type.partition(";")[0].strip().lower()
        probe.expect(kind == "application/scim+json", f"status {exchange.status} came as {kind or 'nothing'}")


@case(
    "A write is accepted as application/scim+json with charset, and as application/json",
    effect="Every create and update fails with 415 or 400.",
    fix="Ignore parameters of Content-Type and accept both media types.",
    both=False,
)
def _write_content_types(probe: Probe) -> None:
    for kind in ("application/scim+json; charset=utf-8", "application/scim+json", "application/json"):
        exchange = probe.send("POST", "/Users", body=probe.user(), headers={"Content-Type": kind})
        probe.expect_status(exchange, 201, 200)


@case(
    "A GET needs neither Content-Type nor Accept nor User-Agent",
    effect="Every search fails with 406, 415 or 403.",
    fix="Demand no header of a GET but Authorization; keep bot rules off the SCIM path.",
    both=False,
)
def _bare_get(probe: Probe) -> None:
    for extra in ({"User-Agent": None}, {"Accept": "application/scim+json"}, {"Accept": "application/json"}):
        exchange = probe.send("GET", "/Users", [("filter", _nobody())], headers=extra)
        probe.expect_status(exchange, 200)


@case(
    "Spaces in a filter come as plus signs or %20, a literal plus as %2B",
    effect="Searches find nothing, so users are created twice or conflict.",
    fix="Decode the query string as a form: + and %20 are spaces, %2B is a plus, %40 an @.",
    both=False,
)
def _filter_encoding(probe: Probe) -> None:
    name = f"{probe.unique()}+tag@contoso.example"
    user = probe.new_user(userName=name)
    quoted = name.replace("+", "%2B")
    for text in (
        f"userName+eq+%22{quoted.replace('@', '%40')}%22",
        f"userName%20eq%20%22{quoted}%22",
        f"userName+eq+%22{quoted}%22",
    ):
        exchange = probe.send("GET", f"/Users?filter={text}")
        probe.expect_status(exchange, 200)
        found = [r.get("id") for r in probe.resources(exchange)]
        probe.expect(found == [user["id"]], f"?filter={text} found {len(found)} users, not the one")


@case(
    "Double and trailing slashes are tolerated",
    effect="A tenant URL that ends in a slash fails its connection test.",
    fix="Treat /scim//Users and /scim/Users/ like /scim/Users.",
    only_warn=True,
    both=False,
)
def _slashes(probe: Probe) -> None:
    for path in ("//Users", "/Users/"):
        probe.expect_status(probe.send("GET", path, [("filter", _nobody())]), 200)


@case(
    "The flag aadOptscim062020 in the query string does no harm",
    effect="Test connection fails as soon as an administrator appends the flag.",
    fix="Ignore unknown query parameters, those without a value too.",
    both=False,
)
def _flag_in_query(probe: Probe) -> None:
    filter = _nobody().replace(" ", "+").replace('"', "%22")
    for query in (
        f"aadOptscim062020&filter={filter}",
        f"filter={filter}&aadOptscim062020",
        "count=1&aadOptscim062020",
    ):
        probe.expect_status(probe.send("GET", f"/Users?{query}"), 200)
    crooked = probe.send("GET", "/?aadOptscim062020/Users")
    probe.expect((crooked.status or 500) < 500, f"the flag before the path answered {crooked.status or crooked.fault}")


@case(
    "A wrong token and no token get 401",
    effect="Anybody may write to the directory, or Entra cannot tell a bad token from a bad endpoint.",
    fix="Answer 401 with a SCIM error to whatever does not carry the token.",
    both=False,
)
def _wrong_token(probe: Probe) -> None:
    for value in ("Bearer wrong", None):
        exchange = probe.send("GET", "/Users", [("filter", _nobody())], headers={"Authorization": value})
        probe.expect_status(exchange, 401)


@case(
    "A token that was pasted with its word Bearer is recognised",
    effect="Test connection fails, and nothing says that the word is there twice.",
    fix="Take Bearer Bearer TOKEN for Bearer TOKEN, with a warning in the log.",
    only_warn=True,
    both=False,
)
def _double_bearer(probe: Probe) -> None:
    probe.expect_status(probe.send_with_double_bearer("/Users", [("filter", _nobody())]), 200)


@case(
    "An unknown id gets 404 with a SCIM error",
    effect="Entra cannot tell a deleted target from a broken endpoint.",
    fix="Answer 404 with the Error schema, status as a string.",
    both=False,
)
def _unknown_id(probe: Probe) -> None:
    for path in ("/Users", "/Groups"):
        exchange = probe.send("GET", f"{path}/{uuid.uuid4()}")
        probe.expect_status(exchange, 404)
        _expect_error(probe, exchange, "404")


@case(
    "A burst of 25 requests is answered",
    effect="Answers with 429 slow every cycle down, and enough of them are a quarantine.",
    fix="Sustain 25 requests a second from one client.",
    only_warn=True,
    both=False,
)
def _burst(probe: Probe) -> None:
    with ThreadPoolExecutor(5) as pool:
        exchanges = list(pool.map(lambda _: probe.send("GET", "/Users", [("filter", _nobody())]), range(25)))
    refused = [e.status or e.fault for e in exchanges if e.status != 200]
    probe.expect(not refused, f"{len(refused)} of 25 were answered with {refused[:3]}")


def _expect_error(probe: Probe, exchange: Exchange, status: str) -> None:
    body = exchange.response if isinstance(exchange.response, dict) else {}
    schema = "urn:ietf:params:scim:api:messages:2.0:Error"
    probe.expect(schema in (body.get("schemas") or []), f"status {status} came without a SCIM error body")
    probe.expect(body.get("status") == status, f"the error's status is {body.get('status')!r}, not {status!r}")
