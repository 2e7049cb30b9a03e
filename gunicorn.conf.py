"""gunicorn's settings, from [server] of the configuration. gunicorn reads this file automatically."""

import errno
import gc
import hashlib
import logging
import os
import re
import signal
import socket
import struct
from collections import Counter
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import app as application
import config as configuration
from commands.service_files import ServiceFiles
from config.ownership import owner_of, read_checked
from config.reload import wait_until_complete
from fileio.atomic import remove_folder
from runtime.buffered_logging import JsonFormatter
from runtime.networks import with_free_port
from runtime.redact import redact
from runtime.worker import DeadlineWorker, Slots

try:
    _config = read_checked(configuration.default_path())
    if (_bind := with_free_port(_config.server.bind)) != _config.server.bind:
        # The workers read it too: the panel's connection test needs the port.
        os.environ["TINYSCIM_SERVER__BIND"] = _bind
        _config = read_checked(configuration.default_path())
    _owner = owner_of(ServiceFiles(_config).paths()) if os.geteuid() == 0 else None
except configuration.ConfigError as error:
    application.refuse_to_start(str(error))

_server = _config.server
wsgi_app = f"{application.__name__}:create_app()"
bind = _server.bind
workers = _server.workers
worker_class = DeadlineWorker
# As many requests run at a time. Measured with 1, 2, 3, 4 and 8: the rate is the same, and the slowest of a hundred
# requests waits longer with more. With one or two, a slow disk would hold up all requests.
threads = _server.threads
# Longer than most proxies keep an idle connection, so that the proxy closes it and no request meets a closed one.
keepalive = 75
if _owner:  # workers of a service that root starts run as the owner of its files
    user, group = _owner.uid, _owner.gid
timeout = 30
graceful_timeout = 30
limit_request_line = 8190
# X-Forwarded-* headers are the application's business alone: it knows how many proxies to trust.
forwarded_allow_ips = ""
# gunicorn's control socket is not used here, so it is not opened.
control_socket_disable = True
# The application writes its own line for each request.
accesslog = None
if _config.log.format == "json":
    logconfig_dict = {
        "root": {},
        "loggers": {"gunicorn.error": {"handlers": ["error_console"], "propagate": False}},
        "formatters": {"generic": {"()": JsonFormatter}},
    }
# prometheus-client maps files with the counts of each worker. On a full disk, a mapped page would end the worker, so
# the folder is in memory if possible. Each start has its own folder, whose name no other user can guess.
_memory, _tag = Path("/dev/shm"), hashlib.sha256(str(_config.path).encode()).hexdigest()[:16]  # noqa: S108
_beside = _memory if os.access(_memory, os.W_OK) else ServiceFiles(_config).store.snapshot.parent
_metrics = _beside / f"tinyscim-{_tag}-{token_hex(16)}"


STALLED = 10  # seconds without a byte after which a connection is closed


def on_starting(server: Any) -> None:
    """Log warnings and check the addresses before any worker starts, so that each message appears once."""
    logging.getLogger("gunicorn.error").addFilter(_make_discreet)
    application.set_up_log(_config.log.format)
    application.warn_of_mode(_config.path)
    application.warn_of_proxy(_server)
    if not {"GUNICORN_FD", "LISTEN_FDS"} & os.environ.keys():  # otherwise the sockets are already open
        for address in server.cfg.address:
            _check_free(address)
    if _owner:
        # Workers keep them. gunicorn's own initgroups would leave the workers in root's group.
        os.setgroups(_owner.groups())
        application.say_owner(_owner)


def on_exit(_: Any) -> None:
    """Remove the counts of the metrics. Root leaves that to the next start's workers, who own the folder."""
    if not _owner:
        remove_folder(_metrics)


def _check_free(address: Any) -> None:
    """Exit with one line if the service cannot listen here; gunicorn would report each of five attempts."""
    if not isinstance(address, tuple):
        return
    try:
        socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET).close()
    except OSError as error:
        taken = "another program uses this address. Stop that program, or"
        reason = taken if error.errno == errno.EADDRINUSE else f"{error.strerror}. To change it,"
        place = ":".join(map(str, address))
        application.refuse_to_start(
            f"cannot listen on {place}: {reason} set bind under [server] in {_config.path} to another address."
        )


def _make_discreet(record: logging.LogRecord) -> bool:
    """Remove personal data from gunicorn's own log lines, and the traceback of a stalled client."""
    text = str(record.msg)
    if text.startswith("Invalid request from "):
        # After the reason, errors quote the request.
        record.msg, record.args = re.split("[\"'(]", ": ".join(text.split(": ")[:2]))[0], ()
    elif text.startswith("Error handling request ") and isinstance(record.args, tuple):
        record.args = tuple(redact(str(part).partition("?")[0]) for part in record.args)
    elif record.exc_info and isinstance(record.exc_info[1], BlockingIOError):
        record.msg, record.exc_info = f"closed a connection without a byte for {STALLED} s", None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


_CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pre_fork(server: Any, worker: Any) -> None:
    """Give a worker its deadline, and the CPU that the fewest other workers have."""
    worker.request_timeout = _server.request_timeout
    taken = Counter(other.cpu for other in server.WORKERS.values())
    worker.cpu = min(_CPUS, key=taken.__getitem__, default=None)


def post_fork(_: Any, worker: Any) -> None:
    """Make a booting worker stop on signals, and pin it to its CPU.

    Until gunicorn installs its handlers, the worker has its master's, which would ignore the signal: stopping the
    service would take all of `graceful_timeout`.

    A worker's threads run one at a time because of the interpreter's lock. Moving to another CPU means waking it with
    cold caches: a PATCH would cost a quarter more (bench/README.md).
    """
    for stop in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(stop, lambda *_: os._exit(0))
    # A replacement worker may start while the file is being rewritten.
    wait_until_complete(configuration.default_path())
    if _config.metrics.enabled:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics)
    if worker.cpu is not None:
        with suppress(OSError):  # if it is not allowed, the worker is only slower
            os.sched_setaffinity(0, {worker.cpu})


def post_worker_init(worker: Any) -> None:
    """Open the store in the worker, after the fork and before the first request."""
    application.open_store(worker.wsgi)
    application.start_background(worker.wsgi)
    worker.wsgi.extensions["tinyscim.waiters"].is_ending = lambda: not worker.alive
    application.prepare_panel(worker.wsgi)
    application.buffer_request_log()
    worker.wsgi.wsgi_app = Slots(worker.wsgi.wsgi_app, _server.threads)
    _set_socket_timeouts(worker.sockets)
    # Objects that exist now stay, so the garbage collector need not visit them in each full collection.
    gc.freeze()


def _set_socket_timeouts(listeners: Any) -> None:
    """Set the timeouts on the listener, from which each connection inherits them at no cost."""
    for listener in listeners:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            with suppress(OSError):
                listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALLED, 0))
