"""Values of single options: password hashes and addresses."""

from contextlib import nullcontext

import pytest
from werkzeug.security import check_password_hash, generate_password_hash

import config


@pytest.mark.parametrize("method", ["scrypt", "scrypt:1024:8:1", "scrypt:65536:16:2", "pbkdf2", "pbkdf2:sha512:1000"])
def test_every_kind_of_werkzeug_hash_is_accepted(method):
    hashed = generate_password_hash("correct horse battery", method=method)
    assert config.parse({"panel": {"password_hash": hashed}}).panel.password_hash == hashed


@pytest.mark.parametrize(
    ("cost", "is_right"),
    [
        ("32768:1:1", True),
        ("65536:1:1", False),  # n is not below 2 to the 16 r
        ("128:8:1", True),
        ("64:8:1", False),  # werkzeug gives it too little memory
        ("2:8:4", True),
        ("2:8:3", False),
        ("65536:256:1", False),  # werkzeug gives it more memory than an int of C can say
        ("1:8:8", False),
        ("128:0:1", False),
        ("128:8:0", False),
    ],
)
def test_a_hash_is_accepted_only_if_werkzeug_can_check_a_password_against_it(cost, is_right):
    hashed = f"scrypt:{cost}$salt${'0' * 128}"
    with nullcontext() if is_right else pytest.raises((ValueError, OverflowError)):
        assert not check_password_hash(hashed, "correct horse battery")
    with nullcontext() if is_right else pytest.raises(config.ConfigError):
        config.parse({"panel": {"password_hash": hashed}})


@pytest.mark.parametrize(
    "bind",
    [
        "[::1]:8000",
        "[::ffff:127.0.0.1]:80",
        "[127.0.0.1]:80",
        "0.0.0.0:80",
        "localhost:8000",
        "localhost.:8000",
        "a-b.example:80",
        "tinyscim_1.local:8000",
        "unix:/run/tinyscim.sock",
        "unix:///s",
    ],
)
def test_bind_accepts_every_address_that_gunicorn_listens_on(bind):
    assert config.parse({"server": {"bind": bind}}).server.bind == bind


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0:81", "http://127.0.0.1:81"),
        ("[::]:82", "http://[::1]:82"),
        ("[0:0:0:0:0:0:0:0]:82", "http://[::1]:82"),
        ("[2001:db8::7]:83", "http://[2001:db8::7]:83"),
        ("scim.internal:84", "http://scim.internal:84"),
        ("unix:/run/tinyscim.sock", "http://localhost"),
    ],
)
def test_the_local_origin_is_where_the_service_listens(bind, url):
    assert config.parse({"server": {"bind": bind}}).server.local_origin == url
