"""Cases of transport and of the connection test."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from entra.exchange import Exchange
from entra.validate.cases import Section
from entra.validate.probe import Probe, nulls_in

SECTION = Section("Connection and transport")
case = SECTION.case_once
QUARANTINE = "The connection test fails, and the job goes into quarantine at once."
DISCOVERY = ("/Groups", "/Schemas", "/ServiceProviderConfig")
NO_ENDPOINT = (301, 302, 303, 307, 308, 404, 405, 410)
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
KEYS = {k.lower(): k for k in ("Resources", "totalResults", "startIndex", "itemsPerPage", "schemas")}


@case("Nothing can be provisioned.", "Check the path of the tenant URL, and the token.")
def endpoint(probe: Probe) -> None:
    """A SCIM endpoint is at this address, and accepts the token."""
    first = probe.send("GET", "/Users", unknown_user())
    probe.expect(first.status is not None, str(first.fault))
    probe.expect(first.status not in (401, 403), f"the endpoint refuses the token with {first.status}", first)
    tried = [first]
    if not _is_scim(first):
        tried += [probe.send("GET", path) for path in DISCOVERY]
    returned = ", ".join(f"{e.url.partition('?')[0]}: {e.outcome}" for e in tried)
    probe.expect(any(map(_is_scim, tried)), f"{probe.endpoint.base} is not a SCIM endpoint ({returned})", first)


def _is_scim(exchange: Exchange) -> bool:
    return isinstance(exchange.response, dict | list) and exchange.status not in NO_ENDPOINT


def unknown_user() -> list[tuple[str, str]]:
    """Return a query that matches no user."""
    return [("filter", f'userName eq "{uuid.uuid4()}"')]


@case(QUARANTINE, "Return 200 and a ListResponse with totalResults 0 when nothing matches; never 404.")
def probe_users(probe: Probe) -> None:
    """Test connection: a search for a user who does not exist."""
    probe.expect_found("User", unknown_user()[0][1])


@case(QUARANTINE, "Return an empty ListResponse on /Groups, even if the endpoint has no groups.")
def probe_groups(probe: Probe) -> None:
    """Test connection: a search for a group that does not exist."""
    probe.expect_found("Group", f'displayName eq "{uuid.uuid4()}"')


@case(
    "Deserialisation may fail: totalResults as a string, or resources in lower case.",
    "Return totalResults, startIndex and itemsPerPage as integers, and spell Resources with a capital.",
)
def list_types(probe: Probe) -> None:
    """A list has SCIM's keys in the right case, and integers as counts."""
    body = probe.user()
    probe.create("User", body)
    exchange = probe.send("GET", "/Users", [("filter", f'userName eq "{body["userName"]}"')])
    probe.expect_status(exchange, 200)
    found = exchange.response if isinstance(exchange.response, dict) else {}
    for key in ["totalResults", *({"startIndex", "itemsPerPage"} & set(found))]:
        probe.expect(type(found.get(key)) is int, f"{key} is {found.get(key)!r} instead of an integer")
    wrong = [key for key in found if key != KEYS.get(key.lower(), key)]
    for resource in [] if wrong else probe.resources(exchange):
        wrong += [key for key in resource if key.lower() in ("id", "meta", "schemas") and key != key.lower()]
    probe.expect(not wrong, f"wrong case: {', '.join(wrong)}")


@case("Null arrays and attributes break the client's deserialisation.", "Omit attributes that have no value.")
def no_nulls(probe: Probe) -> None:
    """A response contains no null."""
    body = probe.user()
    user = probe.create("User", body)
    for exchange in (
        probe.send("GET", f"/Users/{user['id']}"),
        probe.send("GET", "/Users", [("filter", f'userName eq "{body["userName"]}"')]),
    ):
        found = list(nulls_in(exchange.response))
        probe.expect(not found, f"null in {exchange.url.partition('?')[0]}: {', '.join(found[:5])}", exchange)


@case("Microsoft's validator fails; the job works.", "Send application/scim+json with every body.", only_warn=True)
def content_type(probe: Probe) -> None:
    """Every response is application/scim+json, including errors."""
    for path, query in (("/Users", unknown_user()), (f"/Users/{uuid.uuid4()}", [])):
        exchange = probe.send("GET", path, query)
        found = exchange.content_type.partition(";")[0].strip().lower()
        name = f"the Content-Type of a response with status {exchange.status}"
        probe.expect_equal(name, found, "application/scim+json")


@case("Every create and update fails with 415 or 400.", "Accept both media types and ignore their parameters.")
def write_content_types(probe: Probe) -> None:
    """A write is accepted as application/scim+json, with and without charset, and as application/json."""
    for kind in ("application/scim+json; charset=utf-8", "application/scim+json", "application/json"):
        exchange = probe.send("POST", "/Users", body=probe.user(), headers={"Content-Type": kind})
        probe.expect_status(exchange, 201, 200)


@case("Every search fails with 406, 415 or 403.", "Require only Authorization in a GET; apply no bot rules to it.")
def bare_get(probe: Probe) -> None:
    """A GET needs no Content-Type, Accept or User-Agent."""
    for extra in ({"User-Agent": None}, {"Accept": "application/scim+json"}, {"Accept": "application/json"}):
        probe.expect_status(probe.send("GET", "/Users", unknown_user(), headers=extra), 200)


@case("Searches find nothing.", "Decode the query string as a form: + and %20 are spaces, %2B is a plus, %40 an @.")
def filter_encoding(probe: Probe) -> None:
    """A space in a filter is a plus sign or %20, and a plus sign is %2B."""
    name = f"{probe.unique()}+tag@contoso.example"
    user = probe.create_user(userName=name)
    quoted = name.replace("+", "%2B")
    for text in (
        f"userName+eq+%22{quoted.replace('@', '%40')}%22",
        f"userName%20eq%20%22{quoted}%22",
        f"userName+eq+%22{quoted}%22",
    ):
        exchange = probe.send("GET", f"/Users?filter={text}")
        probe.expect_status(exchange, 200)
        found = [r.get("id") for r in probe.resources(exchange)]
        probe.expect(found == [user], f"?filter={text} returned {len(found)} users instead of the one expected")


@case("A tenant URL that ends with a slash fails.", "Treat //Users and /Users/ like /Users.", only_warn=True)
def slashes(probe: Probe) -> None:
    """A double or trailing slash is tolerated."""
    for path in ("//Users", "/Users/"):
        probe.expect_status(probe.send("GET", path, unknown_user()), 200)


@case("The connection test fails with the flag.", "Ignore unknown query parameters, with or without a value.")
def flag_in_query(probe: Probe) -> None:
    """The flag aadOptscim062020 in the query string is ignored."""
    filter = unknown_user()[0][1].replace(" ", "+").replace('"', "%22")
    for query in (
        f"aadOptscim062020&filter={filter}",
        f"filter={filter}&aadOptscim062020",
        "count=1&aadOptscim062020",
    ):
        probe.expect_status(probe.send("GET", f"/Users?{query}"), 200)
    misplaced = probe.send("GET", "/?aadOptscim062020/Users")
    probe.expect((misplaced.status or 500) < 500, f"with the flag before the path, it returned {misplaced.outcome}")


@case(
    "Without authentication anyone may write; with another status Entra cannot detect a bad token.",
    "Return 401 and a SCIM error for every request without the token.",
)
def wrong_token(probe: Probe) -> None:
    """A wrong or missing token gets 401."""
    for value in ("Bearer wrong", None):
        probe.expect_status(probe.send("GET", "/Users", unknown_user(), headers={"Authorization": value}), 401)


@case("The connection test fails.", "Accept Bearer Bearer TOKEN as Bearer TOKEN, and log a warning.", only_warn=True)
def double_bearer(probe: Probe) -> None:
    """A token that was pasted with the word Bearer is accepted."""
    probe.expect_status(probe.search_with_token(f"Bearer {probe.endpoint.token}", unknown_user()), 200)


@case("Entra cannot detect that a target was deleted.", "Return 404 with the Error schema and the status as a string.")
def unknown_id(probe: Probe) -> None:
    """An unknown id gets 404 and a SCIM error."""
    for path in ("/Users", "/Groups"):
        exchange = probe.send("GET", f"{path}/{uuid.uuid4()}")
        probe.expect_status(exchange, 404)
        body = exchange.response if isinstance(exchange.response, dict) else {}
        probe.expect(ERROR in (body.get("schemas") or []), "the response with status 404 is not a SCIM error")
        probe.expect_equal("the error's status", body.get("status"), "404")


@case("Every 429 delays the cycle; many cause a quarantine.", "Sustain 25 requests per second.", only_warn=True)
def burst(probe: Probe) -> None:
    """A burst of 25 requests is processed."""
    with ThreadPoolExecutor(5) as pool:
        exchanges = list(pool.map(lambda _: probe.send("GET", "/Users", unknown_user()), range(25)))
    probe.expect_all(exchanges, 200)
