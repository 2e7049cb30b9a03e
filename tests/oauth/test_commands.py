"""`flask client`."""

import errno
import json
import tomllib

import pytest

from tests.support.oauth_service import OAuthService, make_client


@pytest.fixture
def service(tmp_path):
    return OAuthService(folder=tmp_path, server={"public_url": "https://scim.example.com"})


@pytest.fixture
def command(service):
    return lambda *words: service.app.test_cli_runner().invoke(args=["client", *words])


def clients(service):
    return tomllib.loads(service.path.read_text()).get("clients", [])


def test_new_prints_what_entras_form_asks_for(service, command):
    run = command("new", "--name", "Entra", "--json")
    assert run.exit_code == 0, run.output
    given = json.loads(run.stdout)
    assert given.keys() == {"client_id", "client_secret", "token_endpoint", "tenant_url"}
    assert given["token_endpoint"] == "https://scim.example.com/oauth2/token"
    assert given["tenant_url"] == "https://scim.example.com/api/scim/v2"
    token = service.access_token(given["client_secret"], given["client_id"])
    assert service.get(token).status_code == 200
    assert given["client_secret"] not in service.path.read_text()


def test_without_json_the_values_have_entras_labels(command):
    shown = command("new", "--name", "Entra").stdout
    for label in ("Client ID:", "Client Secret:", "OAuth token endpoint:", "Tenant URL:"):
        assert label in shown


def test_a_read_only_client_cannot_write(service, command):
    given = json.loads(command("new", "--name", "Audit", "--read-only", "--json").stdout)
    token = service.access_token(given["client_secret"], given["client_id"])
    assert service.post_user(token, "ada@example.com").status_code == 403


def test_a_client_has_several_secrets_that_are_revoked_one_by_one(service, command):
    first = json.loads(command("new", "--name", "Entra", "--json").stdout)
    second = json.loads(command("secret", first["client_id"], "--days", "30", "--json").stdout)
    assert second["client_id"] == first["client_id"]
    assert len({service.access_token(one["client_secret"], one["client_id"]) for one in (first, second)}) == 2
    oldest, _ = clients(service)[0]["secrets"]
    assert command("revoke", first["client_id"], "--secret", oldest["id"]).exit_code == 0
    form = {"client_id": first["client_id"]}
    assert service.ask({**form, "client_secret": first["client_secret"]}).status_code == 401
    assert service.ask({**form, "client_secret": second["client_secret"]}).status_code == 200


def test_list_shows_the_clients_without_their_secrets(service, command):
    given = json.loads(command("new", "--name", "Entra", "--json").stdout)
    shown = command("list").stdout
    assert f"Entra  {given['client_id']}  read-write" in shown
    assert clients(service)[0]["secrets"][0]["id"] in shown
    assert "expires 20" in shown
    assert given["client_secret"] not in shown


def test_a_revoked_client_is_gone(service, command):
    given = json.loads(command("new", "--name", "Entra", "--json").stdout)
    assert command("revoke", given["client_id"]).exit_code == 0
    assert clients(service) == []
    assert "There are no clients" in command("list").stderr


def test_errors_say_what_is_wrong(command):
    command("new", "--name", "Entra")
    for words, said in (
        (("new", "--name", "Entra"), 'There is a client "Entra" already'),
        (("new", "--name", "static"), 'There is a token "static" already'),
        (("new", "--name", " "), "1 to 100 printable characters"),
        (("new", "--name", "x", "--days", "5000"), "1<=x<=1095"),
        (("revoke", "nothing"), 'No such client: "nothing"'),
        (("secret", "nothing"), "flask client list"),
        (("revoke", "nothing", "--secret", "x"), 'No such client: "nothing"'),
    ):
        run = command(*words)
        assert run.exit_code != 0
        assert said in run.output
        assert ("flask client list" in run.output) == ("nothing" in words)


def test_a_token_cannot_take_a_clients_name(service, command):
    command("new", "--name", "Entra")
    run = service.app.test_cli_runner().invoke(args=["token", "new", "--name", "Entra"])
    assert 'There is a client "Entra" already' in run.output


@pytest.mark.parametrize("words", [("new", "--name", "Entra"), ("secret", "entra-id")])
def test_a_secret_that_could_not_be_shown_is_removed(tmp_path, monkeypatch, words):
    def failing(text):
        raise UnicodeError("no such letter on this terminal")

    service = OAuthService(*([make_client()[1]] if words[0] == "secret" else []), folder=tmp_path)
    before = clients(service)
    monkeypatch.setattr("click.echo", failing)
    run = service.app.test_cli_runner().invoke(args=["client", *words])
    assert isinstance(run.exception, UnicodeError)
    assert clients(service) == before


def test_the_error_says_that_the_secret_was_not_shown(command, monkeypatch):
    def failing(text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("click.echo", failing)
    assert "the secret was not shown, so it was removed again" in command("new", "--name", "Entra").output


def test_comments_stay_in_the_file(service, command):
    text = service.path.read_text().replace("[server]", "# the proxy\n[server]")
    service.path.write_text(f"{text}\n# the end\n")
    given = json.loads(command("new", "--name", "Entra", "--json").stdout)
    command("secret", given["client_id"])
    command("revoke", given["client_id"])
    lines = [line for line in service.path.read_text().splitlines() if line.startswith("#")]
    assert lines == ["# the proxy", "# the end"]


def test_clients_in_one_array_can_be_changed(tmp_path):
    _, table = make_client()
    service = OAuthService(folder=tmp_path)
    secrets = f'[{{id = "one", sha256 = "{table["secrets"][0]["sha256"]}", expires = "never"}}]'
    inline = f'clients = [{{id = "entra-id", name = "Entra", scope = "read-write", secrets = {secrets}}}]\n'
    service.path.write_text(inline + service.path.read_text())
    run = service.app.test_cli_runner().invoke
    created = run(args=["client", "secret", "entra-id"])
    assert created.exit_code == 0, created.output
    assert clients(service)[0]["secrets"][0]["id"] == "one"
    assert run(args=["client", "revoke", "entra-id", "--secret", "one"]).exit_code == 0
    assert len(clients(service)[0]["secrets"]) == 1
