"""The application factory, which wires the packages."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Literal, NoReturn

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import config as configuration
import panel
import provisioning_log
import webhooks
from commands import register as register_commands
from commands.identity import serve_as_owner
from commands.service_files import ServiceFiles
from config import Config, ConfigError, Server
from config.ownership import Owner, check_folders, read_checked, warning
from config.reload import ReloadingConfig
from config.shared import SharedConfig
from oauth.keys import MAX_LIFETIME, SKEW, KeyCache
from panel import lists
from runtime import buffered_logging
from runtime.expiry_warnings import ExpiryWarnings
from runtime.shared_ids import SharedIds
from runtime.throttle import Throttle
from scim.dialect import ENTRA, normalise_url
from scim.directory import indexes
from scim.directory.import_check import check_importable
from scim.directory.purge import Purge
from scim.directory.service import Service
from scim.schema import resource_types
from scim.schema.attributes import DefinitionError, Lengths, fold
from scim.schema.resource_types import Registry
from scim.web import discovery, events, hooks, views
from scim.web.request import request_class
from scim.web.token_endpoint import TokenEndpoint
from storage.base import NOTHING, Retention, Store, StoreError, Unavailable
from storage.state import FileState
from storage.tinydb_store import TinyDBStore

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

_OTHER_THREADS = 2  # of a worker that use the store beside requests, at a time
WORKER_BOOT_ERROR = 3  # the exit status at which gunicorn gives up instead of restarting the worker


def create_app(config: Config | Mapping[str, Any] | Path | str | None = None, store: Store | None = None) -> Flask:
    """Create the application.

    `config` is a configuration, its tables, or the path of its file. The default is the file named by SCIM_CONFIG, or
    config.toml beside this module. `store` replaces the configured store. Raises ConfigError if the configuration is
    invalid. Without arguments, as gunicorn and flask call it, it prints a line for each error and ends the process.
    """
    set_up_log()
    try:
        return _create_app(config, store)
    except ConfigError as error:
        if config is None and store is None:
            refuse_to_start(str(error))
        raise


def _create_app(config: Config | Mapping[str, Any] | Path | str | None, store: Store | None) -> Flask:
    settings = _configuration(config)
    set_up_log(settings.log.format)
    own = ServiceFiles(settings)
    own.check_separate()
    check_folders(own.folders())
    serve_as_owner(own.paths() if settings.path else [])
    service = _service(settings, store, own)
    app = Flask(__name__)
    app.request_class = request_class(service)
    app.config["MAX_CONTENT_LENGTH"] = settings.server.max_body_bytes
    app.url_map.strict_slashes = False
    app.extensions["tinyscim"] = service
    base_path = settings.server.base_path
    hooks.init_app(app)
    app.register_blueprint(discovery.create_blueprint(settings, service.registry), url_prefix=base_path)
    app.register_blueprint(views.create_blueprint(service.registry), url_prefix=base_path)
    app.extensions["tinyscim.waiters"] = events.init_app(app, service)
    of_clients = (own.client_failures, own.keys) if settings.path else ()
    _token_endpoint(service, *of_clients).init_app(app, settings.oauth.token_endpoint)
    provisioning_log.install(app, service, own.log, own.counts if settings.path else None)
    panel.install(app, service, own.failures if settings.path else None)
    warnings = ExpiryWarnings(service.live_config, lambda: service.state("warnings"))
    app.extensions["tinyscim.expiry_warnings"] = warnings
    if settings.path and settings.store.url:
        shared = SharedConfig(
            settings.path, FileState(own.agreed_config), lambda: service.store.state("config"), service.open
        )
        service.prepare, service.problem = shared.agree, lambda: shared.problem
        app.extensions["tinyscim.shared_config"] = shared
    app.extensions["tinyscim.purge"] = Purge(service)
    webhooks.install(app, service)
    if settings.metrics.enabled:
        _install_metrics(app, own.last_backup if settings.path and not settings.store.url else None)
    rules = [rule.rule.removeprefix(base_path) for rule in app.url_map.iter_rules() if rule.rule.startswith(base_path)]
    endpoints = {fold(name): name for name in (rule.split("/")[1] for rule in rules)}
    app.wsgi_app = _middleware(app.wsgi_app, settings, endpoints)  # type: ignore[assignment, method-assign]
    register_commands(app)
    return app


def refuse_to_start(reason: str) -> NoReturn:
    """Print a line for each reason and exit."""
    sys.stderr.writelines(f"tinyscim: {line}\n" for line in reason.splitlines())
    sys.exit(WORKER_BOOT_ERROR)


def warn_of_mode(path: Path | None) -> None:
    """Log at startup that other users may read the configuration."""
    if text := warning(path):
        set_up_log()
        logging.getLogger("tinyscim").warning(text)


def say_owner(owner: Owner) -> None:
    """Log at startup which user the workers run as."""
    set_up_log()
    logging.getLogger("tinyscim").warning(
        "root started the service, so its workers run as %s, who owns %s. That user must be able to read Python and "
        "its packages.",
        owner.name,
        owner.place,
    )


def warn_of_proxy(server: Server) -> None:
    """Warn at startup if clients' addresses will be unknown."""
    if server.public_url.startswith("https:") and not server.trusted_proxies:
        set_up_log()
        logging.getLogger("tinyscim").warning(
            "trusted_proxies is 0, but public_url is https, so there is a proxy. The panel sees every visitor under "
            "the proxy's address, and one attacker's failed sign-ins throttle everyone. Set trusted_proxies."
        )


def open_store(app: Flask) -> None:
    """Open the store before the first request. A store that cannot be opened ends the process with one line.

    If other workers serve it, this one tries again: they may be writing a deleted file again, or the disk was full. A
    database that cannot be reached may come back: each request tries to open it.
    """
    service: Service = app.extensions["tinyscim"]
    if service.startup_config.store.url:
        return _open_database(service)
    for pause in (1, 2, 4, 8, 0):
        try:
            return service.open()
        except StoreError as error:
            if not (isinstance(service.store, TinyDBStore) and service.store.is_served):
                refuse_to_start(str(error))
            logging.getLogger("tinyscim").error("This worker cannot start, while others serve: %s", error)
            time.sleep(pause)
    sys.exit(1)  # gunicorn starts another


def _open_database(service: Service) -> None:
    try:
        service.open()
    except Unavailable as error:
        logging.getLogger("tinyscim").error("The store is unavailable, and requests get 503 until it is: %s", error)
    except StoreError as error:
        refuse_to_start(str(error))


def buffer_request_log() -> None:
    """Write the request log in a thread of this worker, unless other handlers are configured."""
    log = logging.getLogger("tinyscim")
    formatters = [handler.formatter for handler in log.handlers]
    if len(formatters) == 1 and isinstance(formatters[0], buffered_logging.Formatter):
        log.handlers = [buffered_logging.BufferedStderrHandler(formatters[0])]


def prepare_panel(app: Flask) -> None:
    """Prepare the panel's lists in the background if the panel is on.

    With a database, a worker that no administrator visits keeps nothing of the directory in memory.
    """
    service: Service = app.extensions["tinyscim"]
    if service.live_config.current.panel.is_on and not service.startup_config.store.url:
        Thread(target=lists.prepare, args=(service,), name="lists", daemon=True).start()


def start_background(app: Flask) -> None:
    """Start what this worker does beside requests, such as to purge users and to post to webhooks."""
    for name in ("expiry_warnings", "purge", "shared_config", "webhooks"):
        if part := app.extensions.get(f"tinyscim.{name}"):
            part.start()


def _configuration(given: Config | Mapping[str, Any] | Path | str | None) -> Config:
    if isinstance(given, Config):
        return given
    if isinstance(given, Mapping):
        return configuration.parse(given)
    return read_checked(Path(given) if given else configuration.default_path())


def _service(settings: Config, store: Store | None, own: ServiceFiles) -> Service:
    try:
        limits = settings.limits
        types = resource_types.load(
            settings.schemas,
            unique_group_names=settings.directory.unique_group_names,
            lengths=Lengths(limits.max_text_length, limits.max_binary_length),
            roles=settings.roles,
        )
        declared = indexes.declare(types, settings.directory.indexed_attributes)
    except DefinitionError as error:
        raise ConfigError(f"{settings.path or 'configuration'}: {error}") from None
    if store:
        return Service(ReloadingConfig(settings), types, declared, store, dialect=ENTRA)
    live_config, store = ReloadingConfig(settings), _configured_store(settings, types)
    secret = None if settings.store.url else own.secret  # hosts share it in the database
    return Service(live_config, types, declared, store, secret, dialect=ENTRA)


def _token_endpoint(service: Service, failures: Path | None = None, keys: Path | None = None) -> TokenEndpoint:
    throttle = Throttle(path=failures, shares_limit=False)
    used = SharedIds(lambda: service.state("assertions"), MAX_LIFETIME + SKEW)
    waiters = max(0, service.startup_config.server.threads - 2)  # beside the request that fetches, one thread is free
    return TokenEndpoint(throttle, KeyCache(keys, waiters=waiters), used)


def _install_metrics(app: Flask, last_backup: Path | None) -> None:
    try:
        from scim.web import metrics
    except ModuleNotFoundError:
        raise ConfigError(
            "[metrics] enabled needs a package that is missing. Run: pip install prometheus-client"
        ) from None
    metrics.install(app, last_backup)


def _configured_store(settings: Config, types: Registry) -> Store:
    retention = Retention(settings.events.days, settings.events.max_bytes) if settings.events.enabled else NOTHING
    if settings.store.url:
        return _postgres_store(settings, retention)
    options, check = settings.store, partial(check_importable, types)
    durability: Literal["fsync", "os"] = "os" if options.durability == "os" else "fsync"
    path, compact_after = settings.resolve(options.path), options.compact_after
    return TinyDBStore(path, durability=durability, compact_after=compact_after, retention=retention, check=check)


def _postgres_store(settings: Config, retention: Retention) -> Store:
    try:
        from storage.postgres_store import PostgresStore
    except ImportError:
        raise ConfigError(
            "[store] url needs packages that are missing. Run: pip install 'tinyscim[postgres]'"
        ) from None
    try:
        return PostgresStore(settings.store.url, settings.server.threads + _OTHER_THREADS, retention)
    except StoreError as error:
        raise ConfigError(f"{settings.path or 'configuration'}: {error}") from None


def _middleware(app: WsgiApp, settings: Config, endpoints: Mapping[str, str]) -> WsgiApp:
    """Return the application behind URL normalisation and the configured number of trusted proxies."""
    base_path = settings.server.base_path

    def cleaned(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("SCRIPT_NAME"):  # a proxy's X-Forwarded-Prefix: //name would be taken for another host
            environ["SCRIPT_NAME"] = "/" + environ["SCRIPT_NAME"].strip("/")
        path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
        path, query = normalise_url(path, query, base_path, endpoints)
        if path.startswith(base_path):
            environ["PATH_INFO"], environ["QUERY_STRING"] = path, query
        return app(environ, start_response)

    count = settings.server.trusted_proxies
    return ProxyFix(cleaned, x_for=count, x_proto=count, x_host=count, x_prefix=count) if count else cleaned


def set_up_log(form: str = "") -> None:
    """Log to stderr unless logging is already configured; `form` is that of the service's own lines."""
    # The development server's line for each request contains the query, which may have personal data.
    logging.getLogger("werkzeug").addFilter(lambda record: " HTTP/" not in record.getMessage())
    log = logging.getLogger("tinyscim")
    log.setLevel(logging.INFO)
    if not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(buffered_logging.Formatter())
        log.addHandler(handler)
    if form:
        buffered_logging.use_format(form)
