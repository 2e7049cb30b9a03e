"""How gunicorn serves the application: what the configuration's [server] says. gunicorn reads this file by itself."""

import gc
import os
from collections import Counter
from contextlib import suppress
from typing import Any

import app as application
import config as configuration

try:
    _server = configuration.read(configuration.default_path()).server
except configuration.ConfigError as error:
    application.refuse_to_start(str(error))

wsgi_app = "app:create_app()"
bind = _server.bind
workers = _server.workers
worker_class = "gthread"
# Measured with 1, 2, 3, 4 and 8: the rates are alike, and the slowest of a hundred requests waits longer the more there
# are. With one or two, a slow disk or a slow client would hold up everybody.
threads = _server.threads
# Longer than most proxies keep an idle connection, so that the proxy closes it and no request meets a closed one.
keepalive = 75
timeout = 30
graceful_timeout = 30
limit_request_line = 8190
# X-Forwarded-* headers are the application's business alone: it knows how many proxies to trust.
forwarded_allow_ips = ""
# Nothing is open that nobody asked for.
control_socket_disable = True
# The application writes its own line for each request.
accesslog = None


def on_starting(_: Any) -> None:
    """Warn before there is a worker, so that it is said once."""
    application.warn_of_proxy(_server)


_CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pre_fork(server: Any, worker: Any) -> None:
    """Choose a worker's CPU: one that the fewest of the others have."""
    taken = Counter(other.cpu for other in server.WORKERS.values())
    worker.cpu = min(_CPUS, key=taken.__getitem__, default=None)


def post_fork(_: Any, worker: Any) -> None:
    """Keep a worker to its CPU.

    Its threads take turns anyhow, for the interpreter's lock. If it is handed on to another CPU, that one has to be
    woken and has nothing at hand of what was just used: a PATCH would cost a quarter more (bench/README.md).
    """
    if worker.cpu is not None:
        with suppress(OSError):  # where it is not allowed, it is only slower
            os.sched_setaffinity(0, {worker.cpu})


def post_worker_init(worker: Any) -> None:
    """Open the store in the worker, after the fork and before the first request."""
    application.open_store(worker.wsgi)
    application.start_purge(worker.wsgi)
    application.write_lines_together()
    # What is there now stays; the garbage collector need not look at it again with each full collection.
    gc.freeze()
