"""The application in this process, called as gunicorn calls it, over a directory with fixed ids."""

import io
import logging
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import tomlkit
from werkzeug.security import generate_password_hash

from app import create_app
from bench.people import ENTERPRISE, group, membership, user, user_id
from config.tokens import new_token
from provisioning_log import log_of
from storage.base import Store, Writer
from storage.memory import MemoryStore
from storage.tinydb_store import TinyDBStore
from tests.fuzz.mutation import to_bytes
from tests.fuzz.samples import Request

LONGEST = 5  # seconds of CPU after which a request is stopped
LONGEST_LINE = 8_000  # bytes of a request's first line
USERS = 400
GROUPS = (10, 100, USERS)
PASSWORD = "correct horse battery"
HASH = generate_password_hash(PASSWORD, method="scrypt:1024:8:1")
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
NOWHERE = "127.0.0.1:9"  # where the panel's test of the connection finds nothing


@dataclass
class WriteResult:
    """What came of a request: its status (0 if it was stopped), CPU seconds, the answer's beginning, logged errors."""

    status: int
    seconds: float
    answer: str
    errors: list[str]


class Stopped(BaseException):  # no handler of the application's takes it
    """A request has used up its CPU time."""


class Errors(logging.Handler):
    """Keeps what is logged as an error: a failure that no answer shows."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        where = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}" if record.exc_info else ""
        self.found.append(f"{record.getMessage()} {where}"[:500])


class Service:
    """A service of its own for a lot of requests."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.token, table = new_token("fuzz")
        tables = {
            "server": {"bind": NOWHERE, "public_url": f"http://{NOWHERE}", "cors_origins": ["https://a.example"]},
            "panel": {"password_hash": HASH, "secret": "s" * 40, "allow": []},
            "connection": {"enabled": True},
            "log": {"path": "provisioning.jsonl"},
            "tokens": [table, {**new_token("other")[1]}],
        }
        (folder / "config.toml").write_text(tomlkit.dumps(tables))
        (folder / "config.toml").chmod(0o600)
        self.app = create_app(folder / "config.toml", store=store)
        self.cookie = self.csrf = ""
        self._send(Request("GET", "/healthz"))
        with store.writing() as writer:
            fill_store(writer)
        self._sign_in()

    def ask(self, request: Request, chance: Random) -> WriteResult:
        """Send a request, let the log write its entry, and return what came of both."""
        status, answer, started = 0, b"stopped", time.thread_time()
        with collected_errors() as errors, stopping():
            status, answer, _ = self._send(request, chance)
            log = log_of(self.app)
            if log:
                log.flush()
        seconds = time.thread_time() - started
        failed_inside = re.findall(rb'"status":"5\d\d"', answer) if status == 200 and b"BulkResponse" in answer else []
        shown = answer[:300].decode("utf-8", "replace")
        return WriteResult(
            status, seconds, shown, errors.found + [f"inside: {one.decode()}" for one in failed_inside[:1]]
        )

    def _send(self, request: Request, chance: Random | None = None) -> tuple[int, bytes, list[tuple[str, str]]]:
        found: list[Any] = []
        environ = self._environ(request, chance or Random(0))
        parts = self.app(environ, lambda status, headers, _=None: found.append((status, headers)))
        answer = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        status, headers = found[-1]
        return int(status[:3]), answer, headers

    def _environ(self, request: Request, chance: Random) -> dict[str, Any]:
        words = self._words(chance)
        data = filled(to_bytes(request.body).decode("latin-1"), words)
        if request.is_panel and request.method == "POST" and isinstance(request.body, str):
            data += f"&csrf_token={self.csrf}"
        raw = data.encode("latin-1")
        path, question, rest = filled(request.path, words).partition("?")
        query = filled(request.query, words) + question + rest
        environ = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path.encode("utf-8", "surrogatepass")).decode("latin-1"),
            # gunicorn refuses a first line that is longer, or has what is not printable ASCII in it.
            "QUERY_STRING": quote(query.encode("utf-8", "surrogatepass"), safe=PRINTABLE)[:LONGEST_LINE],
            "RAW_URI": path,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if request.is_panel:
            environ["HTTP_COOKIE"] = self.cookie
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
        else:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
            environ["CONTENT_TYPE"] = "application/scim+json"
        return environ | dict(_variables({name: filled(value, words) for name, value in request.headers.items()}))

    def _words(self, chance: Random) -> dict[str, str]:
        """Return what stands for the names in braces; the names of the recorded requests are users."""
        number = chance.randrange(1_000_000)
        words = {"group": f"group{chance.choice(GROUPS)}", "number": str(number), "run": f"r{number}"}
        words |= {"token": self.token, "entry": f"{number:x}"}
        # The first user is the one with many values.
        return words | {name: _IDS[0 if chance.random() < 0.2 else chance.randrange(USERS)] for name in _USERS}

    def _sign_in(self) -> None:
        """Keep a session's cookie and its token for forms."""
        page, headers = self._send(Request("GET", "/panel/sign-in"))[1:]
        self._keep(page, headers)
        _, page, headers = self._send(Request("POST", "/panel/sign-in", body=f"password={PASSWORD.replace(' ', '+')}"))
        self._keep(page, headers)
        page, headers = self._send(Request("GET", "/panel/attributes"))[1:]
        self._keep(page, headers)
        assert b"Badge number" in page, page

    def _keep(self, page: bytes, headers: list[tuple[str, str]]) -> None:
        cookies = [value.partition(";")[0] for name, value in headers if name.lower() == "set-cookie"]
        self.cookie = cookies[-1] if cookies else self.cookie
        found = re.search(rb'name="csrf_token" value="([^"]+)"', page)
        self.csrf = found[1].decode() if found else self.csrf


_IDS = [user_id(number) for number in range(USERS)]
_USERS = ("user", "first", "second", "boss", "manager", "one", "other", "member", "id")


def filled(text: str, words: dict[str, str]) -> str:
    """Return a text with the directory's ids in it."""
    return _NAMED.sub(lambda found: words.get(found[1], found[0]), text) if "{" in text else text


_NAMED = re.compile(r"\{(\w{2,8})\}")


def _variables(headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield headers as gunicorn passes them: it refuses control characters, and names that are not tokens."""
    for name, value in headers.items():
        if re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^`|~-]+", name):
            variable = name.upper().replace("-", "_")
            text = re.sub(r"[\0-\x1f\x7f]", "", value.encode("utf-8", "surrogatepass").decode("latin-1")).strip(" \t")
            yield (variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"), text[:8_190]


def fill_store(writer: Writer) -> None:
    """Write users with managers, groups within each other, and a user with many values."""
    for number in range(USERS):
        document = user(number)
        document[ENTERPRISE]["manager"] = {"value": user_id(max(number - 1, 0))}
        if number == 0:
            document["emails"] = [{"value": "same@contoso.com", "type": f"t{n}"} for n in range(900)]
        writer.insert("User", document)
    for size in GROUPS:
        writer.insert("Group", group(size))
        for number in range(size):
            writer.insert("Membership", membership(f"group{size}", user_id(number)))
    writer.insert("Membership", membership(f"group{GROUPS[1]}", f"group{GROUPS[0]}"))
    writer.insert("Membership", membership(f"group{GROUPS[2]}", f"group{GROUPS[1]}"))


@contextmanager
def stopping() -> Iterator[None]:
    """End what runs in the context after some seconds of CPU, without an error."""

    def stop(*_: object) -> None:
        raise Stopped

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    with suppress(Stopped):
        yield
    signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def collected_errors() -> Iterator[Errors]:
    """Collect the errors that are logged while the context lasts."""
    log, errors = logging.getLogger("tinyscim"), Errors()
    log.addHandler(errors)
    try:
        yield errors
    finally:
        log.removeHandler(errors)


@contextmanager
def serving(lot: int) -> Iterator[Service]:
    """Make a service for a lot of requests; every fourth lot has the store with a file."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "data.json"
        store: Store = TinyDBStore(path, durability="os", compact_after=200_000) if lot % 4 == 3 else MemoryStore()
        try:
            yield Service(Path(folder), store)
        finally:
            store.close()
