"""The warning about an untrusted proxy at start-up."""

import pytest

from config.tokens import new_token

HTTPS = {"public_url": "https://scim.example.com"}


@pytest.mark.parametrize(("server", "times"), [(HTTPS, 1), ({**HTTPS, "trusted_proxies": 1}, 0), ({}, 0)])
def test_an_untrusted_proxy_is_reported_once(serve, tmp_path, server, times):
    with serve(tmp_path, new_token("entra")[1], **server):
        pass
    assert (tmp_path / "log").read_text().count("trusted_proxies is 0") == times
