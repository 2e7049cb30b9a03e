"""[[clients]] and [oauth] in the configuration: what is wrong is refused, and named."""

import pytest

import config

HASH = "a" * 64
SECRET = f'[[clients.secrets]]\nid = "one"\nsha256 = "{HASH}"\n'
ENDING = 'expires = "never"\n'
CLIENT = '[[clients]]\nid = "x"\nname = "Entra"\nscope = "read-write"\n'
FEDERATION = """[clients.federation]
issuer = "https://issuer.example"
jwks_url = "https://issuer.example/keys"
subject = "s"
audiences = ["a"]
"""
ENABLED = "[connection]\nenabled = true\n"


def test_a_client_has_secrets_and_a_federation(read):
    (client,) = read(ENABLED + CLIENT + SECRET + ENDING + FEDERATION).clients
    assert (client.id, client.name, client.read_only) == ("x", "Entra", False)
    assert [(secret.id, secret.sha256, secret.is_valid) for secret in client.secrets] == [("one", HASH, True)]
    assert client.federation.audiences == ("a",)
    assert client.is_valid


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (CLIENT, "[connection] enabled is missing"),
        (
            CLIENT.replace('scope = "read-write"\n', ""),
            '[[clients]] number 1 scope is missing: write scope = "read-write"',
        ),
        (CLIENT.replace('id = "x"\n', ""), "[[clients]] number 1 id is missing"),
        (CLIENT.replace('"x"', '"a b"'), "[[clients]] number 1 id must be 1 to 100 letters, digits and . _ ~ -"),
        (CLIENT + "nope = 1", "[[clients]] number 1: there is no option nope; there are"),
        (CLIENT + SECRET, '[[clients]] number 1 secrets number 1 expires is missing: write expires = "never"'),
        (CLIENT + SECRET.replace(HASH, "hush") + ENDING, "secrets number 1 sha256 must be a SHA-256 hash in hex"),
        (
            CLIENT + SECRET + ENDING + "nope = 1",
            "secrets number 1: there is no option nope; there are sha256,",
        ),
        (CLIENT + (SECRET + ENDING) * 2, "[[clients]] number 1 secrets has two of the same id"),
        (CLIENT + CLIENT.replace("Entra", "B"), "[[clients]] has two of the same id"),
        (CLIENT + CLIENT.replace('"x"', '"y"'), "[[clients]] has the name of another client or token"),
        (
            f'{CLIENT}[[tokens]]\nname = "Entra"\nscope = "read-only"\nsha256 = "{HASH}"\n{ENDING}',
            "[[clients]] has the name of another client or token",
        ),
        *(
            (CLIENT + FEDERATION.replace(f"{line}\n", ""), f"federation {line.split()[0]} is missing")
            for line in FEDERATION.splitlines()[1:]
        ),
        (CLIENT + FEDERATION.replace('["a"]', "[]"), "federation audiences must be a list like"),
        *(
            (
                CLIENT + FEDERATION.replace("https://issuer.example/keys", url),
                "federation jwks_url must be an https URL",
            )
            for url in (
                "http://issuer.example/keys",
                "http://127.0.0.1.issuer.example/keys",
                "http://localhost@issuer.example/keys",
                "https://",
                "https://a:b/",
                "ftp://issuer.example",
                "https://issuer.example/ keys",
                "",
            )
        ),
        ('[oauth]\ntoken_endpoint = "token"', '[oauth] token_endpoint must be a path like "/oauth2/token"'),
        *(
            (f'[oauth]\ntoken_endpoint = "{path}"', "[oauth] token_endpoint must not be the path of another page")
            for path in ("/api/scim/v2", "/api/scim/v2/token", "/panel/x", "/healthz", "/.well-known/x")
        ),
        ("[oauth]\naccess_token_minutes = 59\n", "[oauth] access_token_minutes must be from 60 to 360, not 59"),
        ("[oauth]\naccess_token_minutes = 361\n", "[oauth] access_token_minutes must be from 60 to 360, not 361"),
        (CLIENT + SECRET.replace('"one"', '"federation-1"') + ENDING, "id must be 1 to 100 letters"),
        ("clients = 1\n", "[[clients]] must be an array of tables"),
        ("clients = [1]\n", "[[clients]] number 1 must be a table"),
    ],
)
def test_an_error_names_the_table_and_the_key(read, text, problem):
    with pytest.raises(config.ConfigError) as error:
        read(text)
    assert problem in str(error.value)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://localhost/keys"])
def test_keys_of_this_machine_may_be_fetched_without_tls(read, url):
    text = ENABLED + CLIENT + FEDERATION.replace("https://issuer.example/keys", url)
    assert read(text).clients[0].federation.jwks_url == url


def test_each_change_of_a_federation_gives_it_another_id(read):
    ids = {
        read(ENABLED + CLIENT + FEDERATION.replace(*change)).clients[0].federation.credential
        for change in (("", ""), ('"s"', '"t"'), ('["a"]', '["a", "b"]'), ("/keys", "/other"), ('example"', 'test"'))
    }
    ids |= {read(ENABLED + CLIENT + FEDERATION + 'id = "one"\n').clients[0].federation.credential}
    assert len(ids) == 6
