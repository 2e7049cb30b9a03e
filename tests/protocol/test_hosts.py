"""The hosts that a request may name: [server] hosts."""

import pytest

LISTED = {"hosts": ["scim.contoso.example", "2001:db8::7"], "public_url": "https://id.contoso.example"}
KNOWN = [
    "scim.contoso.example",
    "SCIM.Contoso.example",
    "scim.contoso.example:8443",
    "scim.contoso.example.",
    "[2001:db8::7]:443",
    "id.contoso.example",
    "localhost",
    "127.0.0.1:8000",
    "127.1.2.3",
    "[::1]:8000",
    "10.1.2.3:8000",
]
UNKNOWN = [
    "evil.example",
    "scim.contoso.example.evil.example",
    "contoso.example",
    "10.1.2.4",
    "[2001:db8::8]",
    "0.0.0.0",
]


@pytest.fixture
def listed(make_scim):
    return make_scim(server={**LISTED, "bind": "10.1.2.3:8000"})


@pytest.mark.parametrize("host", KNOWN)
def test_a_listed_host_is_answered(listed, host):
    assert listed.get("/Users", {"Host": host}).status == 200


@pytest.mark.parametrize("host", UNKNOWN)
def test_any_other_host_is_refused_with_or_without_a_token(listed, host):
    for headers in ({"Host": host}, {"Host": host, "Authorization": None}):
        for path in ("/Users", "/Schemas", "/nothing"):
            answer = listed.get(path, headers)
            assert answer.status == 400
            assert f'"{host}" is not one of the hosts' in answer.body["detail"]


@pytest.mark.parametrize("path", ["/", "/panel/", "/panel/sign-in", "/panel/static/panel.css", "/panel/none", "/none"])
def test_outside_scim_the_error_is_a_plain_page(listed, path):
    client = listed.app.test_client()
    answer = client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer.mimetype == "text/html"
    assert "not one of the hosts" in answer.text
    assert client.get(path, headers={"Host": "localhost"}, buffered=True).status_code != 400


def test_a_health_check_needs_no_listed_host(listed):
    assert listed.app.test_client().get("/healthz", headers={"Host": "10.9.9.9:8000"}).status_code == 200


def test_the_host_is_taken_from_a_trusted_proxy(make_scim):
    scim = make_scim(server={**LISTED, "trusted_proxies": 1})
    assert scim.get("/Users", {"X-Forwarded-Host": "scim.contoso.example", "Host": "10.0.0.9"}).status == 200
    assert scim.get("/Users", {"X-Forwarded-Host": "evil.example", "Host": "scim.contoso.example"}).status == 400


@pytest.mark.parametrize("server", [{}, {"public_url": "https://id.contoso.example"}])
def test_without_a_list_every_host_is_accepted(make_scim, server):
    assert make_scim(server=server).get("/Users", {"Host": "anything.example"}).status == 200
