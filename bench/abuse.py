"""Measures what hostile requests cost: `python -m bench.abuse [--against COMMIT] [--only NAME ...]`.

Any client can send these inputs, some of them without a token. Each input runs in its own process with its own
directory, and is stopped at a limit of CPU time. `--against` runs the same inputs against another commit, in a
git worktree that is removed afterwards, and prints both columns.
"""

import argparse
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import tomlkit
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

import config
from app import create_app
from bench.directory import Directory
from bench.people import user_id
from bench.report import table
from bench.servers import Server, Target, running

ROOT = Path(__file__).resolve().parent.parent
BASE = "/api/scim/v2"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PASSWORD = "correct horse battery"  # noqa: S105
BOUND = 20  # seconds of CPU after which an input is stopped
WAIT = 20  # seconds for which slow clients send before the service counts as blocked
SLOW = 24
SECRETS = (
    *("password", "userPassword", "newPassword", "oldPassword", "passwordHash", "passphrase", "unicodePwd", "pwd"),
    *(
        "secret",
        "clientSecret",
        "client_secret",
        "sharedSecret",
        "token",
        "accessToken",
        "access_token",
        "refreshToken",
    ),
    *("idToken", "bearerToken", "apiKey", "api_key", "apikey", "privateKey", "private_key", "authorization"),
)


class Cost(NamedTuple):
    """The cost of an input: CPU seconds of its most expensive request, and what the responses showed."""

    seconds: float | None
    seen: str


class Service:
    """The application in this process, with a directory of this many users."""

    def __init__(self, folder: Path, size: int) -> None:
        directory = Directory(size, folder / "directory")
        directory.folder.parent.mkdir()
        directory.write()
        hashed = generate_password_hash(PASSWORD, method="scrypt:1024:8:1")
        # Earlier commits reject options that they do not have.
        allow: dict[str, Any] = {"allow": []} if hasattr(config.Panel, "allow") else {}
        settings = {
            "store": {"path": str(directory.snapshot), "durability": "os"},
            "log": {"path": "provisioning.jsonl"},
            "panel": {"password_hash": hashed, "secret": "s" * 40, **allow},
            "connection": {"enabled": True},
        }
        (folder / "config.toml").write_text(tomlkit.dumps(settings))
        (folder / "config.toml").chmod(0o600)
        self.token = _new_token(folder / "config.toml")
        self.folder = folder
        self._client = create_app(folder / "config.toml").test_client()
        self.get("/ServiceProviderConfig")
        self.seconds = 0.0

    def ask(self, method: str, path: str, body: Any = None) -> TestResponse:
        """Send a SCIM request and return the response."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"}
        return self._measured(lambda: self._client.open(BASE + path, method=method, data=data, headers=headers))

    def get(self, path: str) -> TestResponse:
        """Send a SCIM GET."""
        return self.ask("GET", path)

    def patch(self, path: str, operations: Iterable[Any]) -> TestResponse:
        """Send a PATCH."""
        return self.ask("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)})

    def search(self, filter: str) -> TestResponse:
        """Search for users."""
        return self.ask("POST", "/Users/.search", {"schemas": [SEARCH], "filter": filter})

    def sign_in(self) -> None:
        """Sign in to the panel."""
        page = self._client.get("/panel/sign-in").get_data(as_text=True)
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        fields = {"password": PASSWORD, "csrf_token": found[1] if found else ""}
        self._client.post("/panel/sign-in", data=fields)

    def page(self, path: str) -> TestResponse:
        """Read a page of the panel after everything is logged."""
        time.sleep(0.5)  # the log's thread writes the queued entries
        return self._measured(lambda: self._client.get(f"/panel{path}"))

    def log_lines(self) -> list[str]:
        """Return the lines of all the log's files."""
        time.sleep(0.5)
        return [line for one in sorted(self.folder.glob("provisioning*")) for line in _lines(one)]

    def _measured(self, send: Callable[[], TestResponse]) -> TestResponse:
        started = time.process_time()
        answer = send()
        self.seconds = max(getattr(self, "seconds", 0.0), time.process_time() - started)
        return answer


def _new_token(path: Path) -> str:
    """Return a token made by the command, since its place in the code differs between commits."""
    command = [sys.executable, "-m", "flask", "token", "new", "--name", "bench"]
    environment = {**os.environ, "SCIM_CONFIG": str(path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.suffix == ".jsonl" else []


def _answers(*answers: TestResponse) -> str:
    return ", ".join(f"{answer.status_code} with {len(answer.get_data()):,} bytes" for answer in answers)


Input = Callable[[Service], str]
"""Sends an input to a service and returns what the responses showed."""


def groups_100(service: Service) -> str:
    """Search with 100 terms `groups.value eq` over 20,000 users."""
    return _answers(service.search(" or ".join(f'groups.value eq "{n}"' for n in range(100))))


def groups_500(service: Service) -> str:
    """Search with 500 terms `groups.value eq` over 20,000 users."""
    return _answers(service.search(" or ".join(f'groups.value eq "{n}"' for n in range(500))))


def groups_display_100(service: Service) -> str:
    """Search with 100 terms `groups.display eq` over 20,000 users."""
    return _answers(service.search(" or ".join(f'groups.display eq "{n}"' for n in range(100))))


def present_1000(service: Service) -> str:
    """Search with 1,000 terms `id pr` over 20,000 users."""
    return _answers(service.search(" and ".join(["id pr"] * 1_000)))


def unclosed(service: Service) -> str:
    r"""Search with an unclosed string of 8,000 `\"`."""
    return _answers(service.search('userName eq "' + r"\"" * 8_000))


def patch_present(service: Service) -> str:
    """Add 40 of 1,000 present e-mail addresses in each of a PATCH's 1,000 operations."""
    emails = [{"value": "same", "type": str(n)} for n in range(1_000)]
    path = f"/Users/{user_id(1)}"
    service.patch(path, [{"op": "replace", "path": "emails", "value": emails}])
    some = [{"op": "add", "path": "emails", "value": emails[-40:]}] * 1_000
    return _answers(service.patch(path, some))


def members_display(service: Service) -> str:
    """Remove `members[display co ...]` from a group with 40,000 members, in 100 operations of a PATCH."""
    for start in range(0, 40_000, 10_000):
        some = [{"value": user_id(n)} for n in range(start, start + 10_000)]
        service.patch("/Groups/team1", [{"op": "add", "path": "members", "value": some}])
    service.seconds = 0.0
    operations = [{"op": "remove", "path": f'members[display co "absent {n}"]'} for n in range(100)]
    return _answers(service.patch("/Groups/team1", operations))


def bulk_mentions(service: Service) -> str:
    """Mention a bulkId 100,000 times in one text of a bulk request."""
    new = {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"schemas": [USER], "userName": "bulk"}}
    change = {"op": "remove", "path": '"bulkId:a' * 100_000}
    data = {"schemas": [PATCH_OP], "Operations": [change]}
    patch = {"method": "PATCH", "path": f"/Users/{user_id(1)}", "data": data}
    return _answers(service.ask("POST", "/Bulk", {"schemas": [BULK], "Operations": [new, patch]}))


def long_path(service: Service) -> str:
    """Read the log after a PATCH with a path of 16 KB."""
    path = f'emails[type eq "{"a" * 16_000}"].value'
    refused = service.patch(f"/Users/{user_id(1)}", [{"op": "replace", "path": path}])
    service.sign_in()
    listed = service.page("/log")
    links = sorted(set(re.findall(r'href="/panel(/log/[0-9a-f]+)', listed.get_data(as_text=True))))
    return _answers(refused, listed, *(service.page(link) for link in links))


def long_name(service: Service) -> str:
    """Create a user with a userName of 1.9 MB, create it again, and list 12 such users."""
    body = {"schemas": [USER], "userName": "n" * 1_900_000}
    first, second = service.ask("POST", "/Users", body), service.ask("POST", "/Users", body)
    for n in range(11):
        service.ask("POST", "/Users", {**body, "userName": f"{n}{body['userName']}"})
    return _answers(first, second, service.get("/Users?startIndex=1001"))


def log_evicted(service: Service) -> str:
    """Send 12 requests of 1.9 MB each, and count how many of the 100 earlier log entries remain."""
    for n in range(100):
        service.ask("POST", "/Users", {"schemas": [USER], "userName": f"early-{n}"})
    for n in range(12):
        service.ask("POST", "/Users", {"schemas": [USER], "userName": f"late-{n}-" + "n" * 1_900_000})
    left = sum('"early-' in line for line in service.log_lines())
    return f"{left} of 100 entries left"


def secrets_stored(service: Service) -> str:
    """Send attributes with names of secrets, and search the log for their values."""
    for n, name in enumerate(SECRETS):
        service.ask("POST", "/Users", {"schemas": [USER], "userName": f"s{n}", name: f"planted-{n}-value"})
        service.ask("POST", "/Users", {"schemas": [USER], "userName": "", "x": {name.upper(): f"planted-{n}-value"}})
    text = "\n".join(service.log_lines())
    found = sum(f"planted-{n}-value" in text for n in range(len(SECRETS)))
    return f"{found} of {len(SECRETS)} in the log"


def urn_name(service: Service) -> str:
    """Read the log after a POST with an attribute named `urn:x`."""
    answer = service.ask("POST", "/Users", {"schemas": [USER], "userName": "urn", "urn:x": "y"})
    service.sign_in()
    return _answers(answer, service.page("/log"), service.page("/log/unknown"))


INPUTS: dict[str, tuple[int, Input]] = {
    one.__name__.replace("_", "-"): (size, one)
    for size, one in (
        (20_000, groups_100),
        (20_000, groups_500),
        (20_000, groups_display_100),
        (20_000, present_1000),
        (1_000, unclosed),
        (1_000, patch_present),
        (40_000, members_display),
        (1_000, bulk_mentions),
        (1_000, long_path),
        (1_000, long_name),
        (1_000, log_evicted),
        (1_000, secrets_stored),
        (1_000, urn_name),
    )
}


def slow_headers(server: Server) -> Iterator[None]:
    """Send headers at 4 bytes a second over 24 connections."""
    return _drip(server, b"POST /api/scim/v2/Users HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")


def slow_bodies(server: Server) -> Iterator[None]:
    """Send bodies at 4 bytes a second over 24 connections."""
    head = f"POST {BASE}/Users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
    return _drip(server, f"{head}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n".encode())


def slow_forms(server: Server) -> Iterator[None]:
    """Send the form of the sign-in page at 4 bytes a second over 24 connections."""
    head = "POST /panel/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    return _drip(server, f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode())


def idle(server: Server) -> Iterator[None]:
    """Send nothing over 100 connections."""
    return _drip(server, b"", 100)


def _drip(server: Server, head: bytes, count: int = SLOW) -> Iterator[None]:
    """Open the connections, and send a few more bytes on each iteration."""
    address = ("127.0.0.1", server.port)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(count)]
        for one in sockets:
            one.sendall(head)
        while True:
            yield
            sockets = [one for one in sockets if not head or _sent(one)]


def _sent(one: socket.socket) -> bool:
    try:
        one.sendall(b"aa")
    except OSError:  # the server has closed it
        return False
    return True


SLOW_CLIENTS = {one.__name__.replace("_", "-"): one for one in (slow_headers, slow_bodies, slow_forms, idle)}


def main() -> None:
    """Run each input and print its cost."""
    options = _options()
    logging.getLogger("tinyscim").addHandler(logging.NullHandler())
    if options.alone:
        sys.stdout.write(json.dumps(_alone(options.alone)))
        return
    names = options.only or [*SLOW_CLIENTS, *INPUTS]
    with ExitStack() as stack:
        checkouts = {"this checkout": ROOT}
        if options.against:
            checkouts = {options.against: stack.enter_context(_worktree(options.against)), **checkouts}
        lines = [
            [_title(name), *chain.from_iterable(_cells(name, one) for one in checkouts.values())] for name in names
        ]
    table(["input", *chain.from_iterable((f"{one}: CPU s", "answers") for one in checkouts)], lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", metavar="COMMIT", help="also run every input against this commit")
    parser.add_argument("--only", nargs="+", choices=[*SLOW_CLIENTS, *INPUTS], metavar="NAME", help="run these inputs")
    parser.add_argument("--alone", choices=[*SLOW_CLIENTS, *INPUTS], help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkout"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(path), commit], check=True)  # noqa: S603
        try:
            yield path
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=True)  # noqa: S603


def _title(name: str) -> str:
    described = SLOW_CLIENTS[name].__doc__ if name in SLOW_CLIENTS else INPUTS[name][1].__doc__
    return f"{name}: {(described or '').rstrip('.')}"


def _cells(name: str, checkout: Path) -> tuple[object, str]:
    """Run an input against a checkout, in its own process, which imports the checkout's modules."""
    _progress(f"{name} ...")
    command = [sys.executable, "-P", __file__, "--alone", name]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    run = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)  # noqa: S603
    if run.returncode:
        return "", f"failed: {(run.stderr.strip().splitlines() or [''])[-1][:200]}"
    seconds, seen = json.loads(run.stdout)
    _progress(f"{name}: {seconds} {seen}")
    return ("" if seconds is None else float(seconds)), seen


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _alone(name: str) -> Cost:
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if name in SLOW_CLIENTS:
            return _while_slow(SLOW_CLIENTS[name], Path(folder))
        size, run = INPUTS[name]
        service = Service(Path(folder), size)
        signal.signal(signal.SIGPROF, _give_up)
        signal.setitimer(signal.ITIMER_PROF, BOUND)
        seen = run(service)
        signal.setitimer(signal.ITIMER_PROF, 0)
        return Cost(service.seconds, seen)


def _give_up(*_: object) -> None:
    sys.stdout.write(json.dumps(Cost(BOUND, f"stopped: more than {BOUND} s of CPU")))
    sys.stdout.flush()
    os._exit(0)


def _while_slow(slow: Callable[[Server], Iterator[None]], folder: Path) -> Cost:
    """Return how long other clients wait for a response while slow ones hold their connections."""
    directory = Directory(1_000, folder / "directory")
    directory.folder.parent.mkdir()
    directory.write()
    (folder / "service").mkdir()
    with running(Target("tinyscim", 1_000), directory, folder / "service") as server:
        clients = slow(server)
        next(clients)
        started = time.monotonic()
        time.sleep(1)
        next(clients)
        with socket.create_connection(("127.0.0.1", server.port)) as other:
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            other.settimeout(0.5)
            while time.monotonic() < started + WAIT:
                next(clients)
                try:
                    answer = other.recv(100)
                except TimeoutError:
                    continue
                waited = time.monotonic() - started - 1
                return Cost(None, f"/healthz: {answer[9:12].decode() or 'closed'} after {waited:.1f} s")
    return Cost(None, f"/healthz: no answer in {WAIT} s")


if __name__ == "__main__":
    main()
