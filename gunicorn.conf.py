"""How gunicorn serves the application: what the configuration's [server] says. gunicorn reads this file by itself."""

import gc
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
# Measured with 2, 4 and 8: the rates are alike, and the slowest of a hundred requests waits longer the more there are.
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


def post_worker_init(worker: Any) -> None:
    """Open the store in the worker, after the fork and before the first request."""
    application.open_store(worker.wsgi)
    application.start_purge(worker.wsgi)
    application.write_lines_together()
    # What is there now stays; the garbage collector need not look at it again with each full collection.
    gc.freeze()
