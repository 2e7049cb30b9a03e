"""A provisioning job against an endpoint in memory, and the directory that it must lead to."""

import copy
import threading
from contextlib import contextmanager

import httpx
from werkzeug.serving import WSGIRequestHandler, make_server

from entra.client import Endpoint as Client
from entra.client import HttpOptions
from entra.cycle import Cycle
from entra.dialect import Dialect
from entra.mapping import idmelon_defaults
from entra.plan import Policy
from entra.provisioning_log import ProvisioningLog
from entra.state import State
from entra.targets import ENTERPRISE, IDMELON
from entra.tenant import from_json
from tests.support.emulator_endpoint import TOKEN, Endpoint

URL = "http://endpoint.example/scim"


def client(app, url=URL, **options):
    transport = httpx.WSGITransport(app=app, raise_app_exceptions=False)
    return Client(url, TOKEN, HttpOptions(**{"rate": 0, "seed": 1, **options}), transport)


def company(**changes):
    users = [
        {"objectId": f"u{n}", "userPrincipalName": f"u{n}@x.example", "displayName": f"U {n}", **changes}
        for n in range(4)
    ]
    users[1]["manager"] = "u0"
    groups = [{"objectId": "g0", "displayName": "G 0", "members": ["u1", "u2"]}]
    return from_json({"users": users, "groups": groups})


class Job:
    """A provisioning job against an application in memory; `sync` runs one cycle and returns its log."""

    def __init__(self, app=None, *, flag=False, mappings=None, http=None, **dialect):
        self.app = app or Endpoint()
        self.client = client(self.app, **(http or {}))
        self.state = State(url=URL)
        self.dialect = Dialect(flag=flag, **dialect)
        self.mappings = mappings or idmelon_defaults()
        self.now = 1_000_000.0
        self.entries = []

    def cycle(self, tenant, **policy):
        log = ProvisioningLog(listener=self.entries.append)
        self.entries.clear()
        settings = (self.dialect, Policy(**policy), log)
        return Cycle(tenant, self.mappings, self.client, self.state, *settings, clock=lambda: self.now)

    def sync(self, tenant, **policy):
        cycle = self.cycle(tenant, **policy)
        self.app.requests.clear()
        cycle.run()
        return cycle.log

    def user(self, tenant, name):
        return self.app.store["User"][self.state.links[tenant.find(name).id].target]

    def group(self, tenant, name):
        return self.app.store["Group"][self.state.links[tenant.find(name).id].target]

    def verbs(self):
        return [method for method, _ in self.app.requests if method != "GET"]


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args):
        pass


@contextmanager
def served(app):
    """Serve an application on the loopback interface; yield its SCIM base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/scim"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# The default mappings, written by hand a second time.
PLAIN = {
    "userPrincipalName": "userName",
    "displayName": "displayName",
    "jobTitle": "title",
    "preferredLanguage": "preferredLanguage",
    "objectId": "externalId",
}
ADDRESS = {
    "physicalDeliveryOfficeName": "formatted",
    "streetAddress": "streetAddress",
    "city": "locality",
    "state": "region",
    "postalCode": "postalCode",
    "country": "country",
}
PHONES = {"telephoneNumber": "work", "mobile": "mobile", "facsimileTelephoneNumber": "fax"}


def expected_user(source):
    """Return the resource that a source user must become, without id and manager."""
    user = {scim: source[entra] for entra, scim in PLAIN.items() if source.get(entra)}
    user["active"] = True
    user["name"] = {
        "givenName": source["givenName"],
        "familyName": source["surname"],
        "formatted": f"{source['givenName']} {source['surname']}",
    }
    user["emails"] = [{"type": "work", "value": source["mail"], "primary": True}]
    user["addresses"] = [{"type": "work"} | {scim: source[e] for e, scim in ADDRESS.items() if source.get(e)}]
    user["phoneNumbers"] = [{"type": t, "value": source[e]} for e, t in PHONES.items() if source.get(e)]
    user[ENTERPRISE] = {"employeeNumber": source["employeeId"], "department": source["department"]}
    extension = {f"extraAttribute{n}": source.get(f"extensionAttribute{n}") for n in range(1, 6)}
    extension["immutable_id"] = source.get("immutableId")
    user[IDMELON] = {k: v for k, v in extension.items() if v}
    return {k: v for k, v in user.items() if v}


def assert_equal_directory(job, tenant, late=frozenset()):
    """Compare the endpoint's store with the tenant; references to the users in `late` are optional."""
    users, links = job.app.store["User"], job.state.links
    ids = {source: link.target for source, link in links.items()}
    assigned = tenant.assigned()
    for person in tenant.of("User"):
        active = person.id in assigned and person.enabled and not person.deleted
        if not active:
            assert person.id not in ids or users[ids[person.id]]["active"] is False, person.name
            continue
        held = copy.deepcopy(users[ids[person.id]])
        del held["id"]
        manager = held[ENTERPRISE].pop("manager", {}).get("value")
        assert held == expected_user(person.source)
        if person.source.get("manager") in ids and person.source["manager"] not in late:
            assert manager == ids[person.source["manager"]], person.name
    assert set(users) == {ids[s] for s in ids if links[s].kind == "User"}
    assert_equal_groups(job, tenant, ids, late)


def assert_equal_groups(job, tenant, ids, late):
    groups = job.app.store["Group"]
    wanted = [g for g in tenant.of("Group") if g.id in tenant.assigned() and not g.deleted]
    assert {ids[g.id] for g in wanted} == set(groups)
    for group in wanted:
        held = groups[ids[group.id]]
        assert (held["displayName"], held["description"], held["externalId"]) == (
            group.name,
            group.source["description"],
            group.id,
        )
        members = {m["value"] for m in held.get("members", [])}
        linked = {ids[m] for m in group.members if m in ids}
        required = {ids[m] for m in group.members if m in ids and m not in late and not tenant.objects[m].deleted}
        assert required <= members <= linked, group.name
