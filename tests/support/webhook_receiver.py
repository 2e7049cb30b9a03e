"""An application that receives webhooks over HTTP, and fails in the ways that tests ask for."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any, NamedTuple


class Received(NamedTuple):
    """A request, with its header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    """An answer. `act` is called with the handler instead of it, and may do anything to the connection."""

    status: int = 204
    headers: dict[str, str] = {}
    body: bytes = b""
    act: Callable[[Any], None] | None = None


class Receiver:
    """Keeps the requests; `reply` decides how each is answered."""

    def __init__(self) -> None:
        self.scheme, self.host, self.port = "http", "127.0.0.1", 0
        self._changed = Condition()
        self.reset()

    def reset(self) -> None:
        """Forget what was received, and answer 204 again."""
        self.reply: Callable[[Received], Reply] = lambda _: Reply()
        self.requests: list[Received] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/hook?key=1"

    @property
    def events(self) -> list[Any]:
        return [one.event for one in self.requests]

    def add(self, request: Received) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Wait until the condition is true of what was received."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), f"{len(self.requests)} requests so far"

    def wait(self, count: int) -> None:
        self.wait_for(lambda: len(self.requests) >= count)


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen on a free port, with TLS if there is a context."""
    receiver = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    receiver.port = server.server_port
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        receiver.scheme, receiver.host = "https", "localhost"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def setup(self) -> None:
            super().setup()
            receiver.connections += 1

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client has gone
                self.close_connection = True

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.path, headers, self.rfile.read(int(headers["content-length"])))
            reply = receiver.reply(request)
            receiver.add(request)
            if reply.act:
                self.close_connection = True
                return reply.act(self)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            return None

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
