"""Measures what a request costs at the application's WSGI interface: `python -m bench.latency`.

This includes the application, its checks and the store with fsync, but not sockets, gunicorn and the provisioning log,
so that sizes are compared by the service's own work.
"""

import argparse
import io
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from app import create_app
from bench.people import GROUPS, members, user, user_id, users
from bench.report import table
from bench.store import measure_by
from config.tokens import new_token
from storage.engine.snapshot import Meta, save
from storage.tinydb_store import TinyDBStore

SIZES = (1_000, 10_000, 100_000)
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass
class Service:
    """The application with a store of this many users."""

    users: int
    path: Path
    chance: Random = field(default_factory=lambda: Random(1))

    def __post_init__(self) -> None:
        self.token, entry = new_token("bench")
        self.store = TinyDBStore(self.path)
        self.app = create_app({"tokens": [entry]}, store=self.store)
        self.app.extensions["tinyscim"].open()
        self.cursor = ""

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the response; one that is not 2xx ends the measurement."""
        raw = json.dumps(body).encode() if body is not None else b""
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": "/api/scim/v2" + path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "CONTENT_TYPE": "application/scim+json",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": io.StringIO(),
        }
        status: list[str] = []
        answer = b"".join(self.app.wsgi_app(environ, lambda line, _, __=None: status.append(line)))  # type: ignore[arg-type]
        if not status[0].startswith("2"):
            raise SystemExit(f"{method} {path}: {status[0]} {answer.decode()}")
        return json.loads(answer) if answer else None

    def someone(self) -> int:
        """Return the number of a random user."""
        return self.chance.randrange(self.users)


Operation = Callable[[Service, int], object]


def create(service: Service, n: int) -> object:
    """POST a user."""
    body = {name: value for name, value in user(10_000_000 + n).items() if name not in ("id", "meta")}
    return service.send("POST", "/Users", body)


def get(service: Service, _: int) -> object:
    """GET a user."""
    return service.send("GET", f"/Users/{user_id(service.someone())}")


def match(service: Service, _: int) -> object:
    """Find a user as Entra does."""
    name = user(service.someone())["userName"]
    return service.send("GET", "/Users?filter=" + quote(f'userName eq "{name}"'))


def patch(service: Service, n: int) -> object:
    """PATCH two attributes of a user."""
    operations = [{"op": "Replace", "path": path, "value": f"{path} {n}"} for path in ("displayName", "title")]
    return service.send("PATCH", f"/Users/{user_id(service.someone())}", patch_op(*operations))


def page(service: Service, _: int) -> object:
    """GET a page of 100 at a random offset."""
    start = service.chance.randrange(service.users - 100)
    return service.send("GET", f"/Users?startIndex={start}&count=100")


def cursor_page(service: Service, n: int) -> object:
    """GET the next page of 100 by cursor."""
    answer = service.send("GET", f"/Users?cursor={service.cursor}&count=100")
    service.cursor = answer.get("nextCursor", "")
    return answer


def unindexed(service: Service, n: int) -> object:
    """Find a user by an attribute without an index."""
    return service.send("GET", "/Users?filter=" + quote(f'nickName eq "nobody {n}"'))


def add_member(service: Service, n: int, size: int) -> object:
    """Add a member to a group."""
    operation = {"op": "Add", "path": "members", "value": [{"value": f"new{n}"}]}
    return service.send("PATCH", f"/Groups/group{size}", patch_op(operation))


def remove_member(service: Service, n: int, size: int) -> object:
    """Remove the member that was added."""
    operation = {"op": "Remove", "path": "members", "value": [{"value": f"new{n}"}]}
    return service.send("PATCH", f"/Groups/group{size}", patch_op(operation))


def patch_op(*operations: object) -> dict[str, object]:
    """Return a PatchOp message."""
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


OPERATIONS: list[tuple[str, Operation, int]] = [
    ("create", create, 300),
    ("get", get, 500),
    ("match by userName", match, 500),
    ("PATCH user", patch, 300),
    ("page at a random offset", page, 60),
    ("cursor page", cursor_page, 60),
    ("unindexed filter", unindexed, 5),
]


def main() -> None:
    """Measure, print tables and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of users")
    parser.add_argument("--picture", type=Path, help="where to plot latency by size")
    options = parser.parse_args()
    logging.getLogger("tinyscim").addHandler(logging.NullHandler())
    with TemporaryDirectory() as folder:
        services = {size: _service(size, Path(folder)) for size in options.sizes}
        by_users = {name: _costs(operation, services, times) for name, operation, times in OPERATIONS}
        by_members = _member_costs(services[max(services)])
        whole = _whole_group(services[max(services)])
        for service in services.values():
            service.store.close()
    print("\nMedian microseconds, by number of users")
    _print(list(services), by_users)
    print("\nMedian microseconds, by size of the group")
    _print(list(GROUPS), by_members)
    print(f"\nGET of the whole group of {GROUPS[-1]:,}: {whole / 1e6:.2f} s")
    if options.picture:
        draw(options.picture, {"users": (list(services), by_users), "members": (list(GROUPS), by_members)})


def draw(path: Path, panels: dict[str, tuple[list[int], dict[str, list[float]]]]) -> None:
    """Plot latency by size, with one panel for each kind of size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for axes, (kind, (sizes, costs)) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for name, found in costs.items():
            axes.plot(sizes, [cost / 1000 for cost in found], marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel=kind, ylabel="milliseconds, median")
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def _service(size: int, folder: Path) -> Service:
    path = folder / str(size) / "data.json"
    path.parent.mkdir()
    save(path, chain(users(size), members(size)), Meta())
    return Service(size, path)


def _costs(operation: Operation, services: dict[int, Service], times: int) -> list[float]:
    return measure_by(lambda size, n: operation(services[size], n), services, times)


def _member_costs(service: Service) -> dict[str, list[float]]:
    return {
        "add a member": measure_by(lambda size, n: add_member(service, n, size), GROUPS, 200),
        "remove a member": measure_by(lambda size, n: remove_member(service, n, size), GROUPS, 200),
    }


def _whole_group(service: Service) -> float:
    return measure_by(lambda size, _: service.send("GET", f"/Groups/group{size}"), GROUPS[-1:], 3)[0]


def _print(sizes: Iterable[int], costs: dict[str, list[float]]) -> None:
    lines = [[name, *found, f"{found[-1] / found[0]:.2f}"] for name, found in costs.items()]
    table(["operation", *(f"{size:,}" for size in sizes), "ratio"], lines)


if __name__ == "__main__":
    main()
