"""`/metrics` for Prometheus. Only imported if [metrics] is enabled, because prometheus-client is optional."""

import hmac
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config import Config
from config.checks import host_name, is_loopback
from config.expiry import expiries
from config.tokens import hash_token
from fileio.atomic import make_folder, remove_folder
from scim.directory.service import Service
from scim.web.request import request
from storage.base import StoreError
from storage.engine.paths import Files
from storage.tinydb_store import TinyDBStore

_Key = tuple[str, str | None, int]

PATH = "/metrics"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client reads it when it is imported
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
_ENDPOINTS = {"Bulk", "Me", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search"}
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def install(app: Flask, last_backup: Path | None) -> None:
    """Count requests, and serve the counts of all workers."""
    if folder := os.environ.get(FOLDER):
        _prepare(Path(folder))
    metrics = Metrics(app.extensions["tinyscim"], last_backup, is_shared=bool(folder))
    app.after_request(metrics.observe)
    app.add_url_rule(PATH, "metrics", metrics.view)


def _prepare(folder: Path) -> None:
    """Create the folder of the workers' counts, and remove those of earlier starts, which have the same prefix."""
    make_folder(folder)
    for earlier in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"):
        status = earlier.lstat()  # other users may create such names in /dev/shm
        if earlier != folder and stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
            remove_folder(earlier)


class Metrics:
    """Counts the requests of this worker, and answers with those of all workers."""

    def __init__(self, service: Service, last_backup: Path | None, *, is_shared: bool) -> None:
        self._service, self._is_shared = service, is_shared
        self._state = State(service, last_backup)
        self._own = own = CollectorRegistry()
        self._seconds = Histogram(
            "tinyscim_request_seconds",
            "Time to answer a request.",
            ("method", "type", "status"),
            buckets=_BUCKETS,
            registry=own,
        )
        self._routed: dict[_Key, Histogram] = {}
        self._failures = Counter("tinyscim_failures", "Requests that failed, by cause.", ("cause",), registry=own)

    def observe(self, response: Response) -> Response:
        """Count a request."""
        status = response.status_code
        key = (request.method, request.endpoint, status)
        seconds = self._routed.get(key) or self._add(key)
        seconds.observe(request.milliseconds / 1000)
        if status >= 400:
            self._failures.labels(_cause(response)).inc()
        return response

    def _add(self, key: _Key) -> Histogram:
        """Return the histogram of such requests. Those with a route are kept: finding them by labels takes longer."""
        method, endpoint, status = key
        found = self._seconds.labels(method if method in _METHODS else "other", self._type(), status)
        if endpoint:
            self._routed[key] = found
        return found

    def view(self) -> Response:
        """Return the metrics, if the client may read them."""
        if refusal := _refusal(self._service.live_config.current):
            return refusal
        registry = CollectorRegistry()
        if self._is_shared:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(self._own)
        registry.register(self._state)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    def _type(self) -> str:
        """Return what the request is about; paths are the client's, so they are no labels themselves."""
        config = self._service.startup_config
        if not request.is_scim:
            return "token" if request.path == config.oauth.token_endpoint else "other"
        name = request.path.removeprefix(config.server.base_path).split("/", 2)[1:2]
        if found := self._service.registry.at(*name) if name else None:
            return found.name
        return name[0] if name and name[0] in _ENDPOINTS else "other"


def _cause(response: Response) -> str:
    if request.rejection:
        return f"token {request.rejection[0]}"
    body = response.get_json(silent=True) if response.is_json else None
    named = body.get("scimType") or body.get("error") if isinstance(body, dict) else None
    return str(named or response.status_code)


def _refusal(config: Config) -> Response | None:
    """Return a refusal unless the request has the token or, if there is none, comes from this machine."""
    if wanted := config.metrics.sha256:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(hash_token(text.strip()), wanted):
            return None
        detail = "The bearer token of /metrics is missing or wrong. Create another with: flask metrics token\n"
        return Response(detail, 401, {"WWW-Authenticate": 'Bearer realm="metrics"'}, mimetype="text/plain")
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    if is_loopback(request.remote_addr or "") and is_loopback(host_name(request.host)) and not is_forwarded:
        return None
    detail = "Without a token, only this machine may read /metrics. Create a token with: flask metrics token\n"
    return Response(detail, 403, mimetype="text/plain")


class State(Collector):
    """What is read at each scrape: the store, the last backup, and when credentials expire."""

    def __init__(self, service: Service, last_backup: Path | None) -> None:
        self._service, self._last_backup = service, last_backup

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        store = self._service.store
        yield self._resources()
        yield _gauge("store_read_only", "Whether the store refuses writes.", bool(store.read_only))
        if isinstance(store, TinyDBStore):
            yield _gauge("journal_bytes", "Size of the journal.", _journal_size(store.files))
        if self._last_backup:
            text = "Time of the last backup, or 0."
            yield _gauge("last_backup_timestamp_seconds", text, _modified(self._last_backup))
        yield self._expiries()

    def _resources(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("tinyscim_resources", "Users, groups and other resources.", labels=["type"])
        with suppress(StoreError):
            self._service.open()
            with self._service.store.reading() as reader:
                for name in self._service.registry.types:
                    family.add_metric([name], reader.count(name))
        return family

    def _expiries(self) -> GaugeMetricFamily:
        text = "Time at which a token or a client's last secret expires."
        family = GaugeMetricFamily("tinyscim_credential_expiry_timestamp_seconds", text, labels=["credential"])
        for expiry in expiries(self._service.live_config.current):
            family.add_metric([expiry.what], expiry.end.timestamp())
        return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tinyscim_{name}", text, value)


def _journal_size(files: Files) -> int:
    sizes = 0
    for generation in files.generations():
        with suppress(OSError):  # compaction has just removed it
            sizes += files.journal(generation).stat().st_size
    return sizes


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
