"""What the service says of its proxy when it starts."""

import pytest

from config.tokens import new_token

HTTPS = {"public_url": "https://scim.example.com"}


@pytest.mark.parametrize(("server", "times"), [(HTTPS, 1), ({**HTTPS, "trusted_proxies": 1}, 0), ({}, 0)])
def test_a_proxy_that_hides_all_visitors_is_told_once(serve, tmp_path, server, times):
    with serve(tmp_path, new_token("entra")[1], **server):
        pass
    assert (tmp_path / "log").read_text().count("trusted_proxies is 0") == times
