"""The service behind nginx and Caddy, with the files in packaging/: TLS, forwarded headers, bodies, reloads."""

import http.client
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.support import certificates
from tests.support.running_service import running
from tests.support.serving import ROOT, free_port
from tests.support.urns import GROUP, USER

pytestmark = pytest.mark.long
LIMIT = 1_000_000


def nginx(folder, upstream, port, certificate, key):
    site = (ROOT / "packaging" / "nginx" / "tinyscim.conf").read_text()
    site = site.replace("443", str(port)).replace("scim.example.com", "localhost").replace("127.0.0.1:8000", upstream)
    site = site.replace("/etc/ssl/scim.pem", str(certificate)).replace("/etc/ssl/scim.key", str(key))
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # or it could not read the test's folder
    main = f"{user} daemon off; pid {folder}/pid; error_log stderr; events {{}}"
    (folder / "nginx.conf").write_text(f"{main} http {{ access_log off; {temporary}\n{site}}}")
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]


def caddy(folder, upstream, port, certificate, key):
    site = (ROOT / "packaging" / "caddy" / "Caddyfile").read_text()
    site = site.replace(
        "{$TINYSCIM_HOST:scim.example.com} {", f"https://localhost:{port} {{\n\ttls {certificate} {key}"
    )
    site = site.replace("{$TINYSCIM_UPSTREAM:127.0.0.1:8000}", upstream)
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]


class Proxied:
    """The service behind a proxy, as a client with the authority's certificate sees it."""

    def __init__(self, service, url, authority, log):
        self.service, self.url, self.authority, self.log = service, url, authority, log
        self.context = ssl.create_default_context(cafile=str(authority))
        self.headers = {"Authorization": f"Bearer {service.token}"}

    def request(self, method, path, **options):
        headers = {**self.headers, **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, verify=self.context, timeout=60, **options)


@contextmanager
def process(command, folder):
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (
        (folder / "proxy.log").open("w") as log,
        subprocess.Popen(list(map(str, command)), env=environment, stdout=log, stderr=log) as running_proxy,
    ):
        try:
            yield running_proxy
        finally:
            running_proxy.terminate()


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxied(request, tmp_path_factory):
    if not shutil.which(request.param.__name__):
        pytest.skip(f"{request.param.__name__} is not installed")
    folder, port = tmp_path_factory.mktemp(request.param.__name__), free_port()
    authority, certificate, key = certificates.create(folder)
    server = {"trusted_proxies": 1, "max_body_bytes": LIMIT}
    panel = {"allow": ["192.0.2.0/24"], "password_hash": "", "secret": ""}
    with running(folder, server=server, panel=panel, metrics={"enabled": True}) as service:
        command = request.param(folder, service.url.removeprefix("http://"), port, certificate, key)
        with process(command, folder) as proxy:
            found = Proxied(service, f"https://localhost:{port}", authority, folder / "log")
            wait_until_answered(found, proxy, folder / "proxy.log")
            yield found


def wait_until_answered(found, proxy, log):
    for _ in range(100):
        try:
            assert found.request("GET", "/healthz").status_code == 200
            return
        except httpx.TransportError:
            assert proxy.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_the_emulator_is_content_through_it(proxied):
    run = subprocess.run(
        [sys.executable, "-m", "entra", "validate", f"{proxied.url}/api/scim/v2", "--rate", "0"],
        cwd=ROOT,
        env={**os.environ, "SCIM_TOKEN": proxied.service.token, "SSL_CERT_FILE": str(proxied.authority)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_urls_have_the_name_that_the_client_used(proxied):
    made = proxied.request("POST", "/api/scim/v2/Users", json={"schemas": [USER], "userName": "ada@contoso.example"})
    location = made.json()["meta"]["location"]
    assert location.startswith(f"{proxied.url}/api/scim/v2/Users/")
    assert made.headers["Location"] == location


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"])
def test_forwarded_headers_of_a_client_are_not_believed(proxied, header):
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "ftp"}.get(header, "evil.example")
    found = proxied.request("GET", "/api/scim/v2/ServiceProviderConfig", headers={header: forged})
    assert found.json()["meta"]["location"] == f"{proxied.url}/api/scim/v2/ServiceProviderConfig"
    assert proxied.request("GET", "/panel/", headers={header: forged}).status_code == 403


def test_metrics_are_not_public(proxied):
    answer = proxied.request("GET", "/metrics")
    assert (answer.status_code, "tinyscim_" in answer.text) == (404, False)
    assert httpx.get(f"{proxied.service.url}/metrics").status_code == 200


def test_large_bodies_come_through_and_larger_ones_are_refused_in_the_protocols_form(proxied):
    members = [{"value": f"{number:0100}"} for number in range(LIMIT // 130)]
    body = {"schemas": [GROUP], "displayName": "Large", "members": members}
    answer = proxied.request("POST", "/api/scim/v2/Groups", json=body)
    assert (answer.status_code, len(answer.json()["members"])) == (201, len(members))
    answer = proxied.request("POST", "/api/scim/v2/Groups", content=b"{" + b" " * (LIMIT + 1))
    assert (answer.status_code, answer.json()["status"]) == (413, "413")


def test_a_client_keeps_its_connection(proxied):
    host, port = proxied.url.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=proxied.context)
    connection.connect()
    first = connection.sock
    for _ in range(5):
        connection.request("GET", "/api/scim/v2/Users?count=1", headers=proxied.headers)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, connection.sock is first) == (200, True)
    connection.close()


def test_no_request_fails_while_the_service_is_reloaded(proxied):
    statuses, has_reloaded = [], threading.Event()

    def create(worker):
        with httpx.Client(base_url=proxied.url, verify=proxied.context, headers=proxied.headers, timeout=60) as client:
            for number in range(10_000):
                if has_reloaded.is_set():
                    return
                body = {"schemas": [USER], "userName": f"reload{worker}-{number}"}
                statuses.append(client.post("/api/scim/v2/Users", json=body).status_code)

    threads = [threading.Thread(target=create, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        os.kill(proxied.service.pid, signal.SIGHUP)
        time.sleep(4)
    has_reloaded.set()
    for thread in threads:
        thread.join()
    assert proxied.log.read_text().count("Booting worker") >= 6  # two at the start, and two for each reload
    assert set(statuses) == {201}
    assert len(statuses) > 20
