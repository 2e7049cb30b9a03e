"""Pages of the OAuth clients: their IDs, secrets and workload identities."""

import logging
from collections.abc import Iterator

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import Client, Federation, Token, client_edit
from config.edit import Refused
from config.tokens import is_test_name
from panel.page import config_path, form_field, is_form_submission, refuse
from panel.tokens import SCOPES
from provisioning_log import activity_of
from scim.web.request import base_url, service, token_url

log = logging.getLogger("tinyscim.panel")

SECRET, FEDERATION = "secret", "federation"
_REVOKED = {"": "Client", FEDERATION: "Workload identity of client"}
_FIELDS = ("issuer", "jwks_url", "subject", "audiences")


def clients() -> ResponseReturnValue:
    """List the clients, with what each signs in with."""
    shown, activity = shown_clients(), activity_of(current_app).read()
    used = {client.id: activity.last_use(Token(client.name)) for client in shown}
    return render_template("panel/clients.html", clients=shown, used=used, **_urls())


def new_client() -> ResponseReturnValue:
    """Show the form, or create a client, with a secret or a workload identity."""
    if not is_form_submission():
        return _new_form()
    name, scope, method = form_field("name").strip(), form_field("scope"), form_field("method")
    if scope not in SCOPES or method not in (SECRET, FEDERATION):
        refuse("Choose one of the listed options.")
    path, is_read_only, secret = config_path(), scope == "read-only", ""
    try:
        if method == SECRET:
            id, secret = client_edit.add_client(path, name, read_only=is_read_only)
        else:
            id = client_edit.add_federated_client(path, name, _given_federation(), read_only=is_read_only)
    except Refused as error:
        return _new_form(str(error)), 409
    log.info('client "%s" created from %s', name, request.remote_addr)
    return _made(name, id, secret)


def new_secret() -> ResponseReturnValue:
    """Ask for confirmation, or create another secret of a client and show it once."""
    client = _client()
    if not is_form_submission():
        return render_template("panel/client_secret.html", client=client)
    _, secret = client_edit.add_secret(config_path(), client.id)
    log.info('secret of client "%s" created from %s', client.name, request.remote_addr)
    return _made(client.name, client.id, secret)


def federation() -> ResponseReturnValue:
    """Show the form of a client's workload identity, or set it."""
    client, problem = _client(), ""
    if is_form_submission():
        try:
            client_edit.set_federation(config_path(), client.id, _given_federation())
        except Refused as error:
            problem = str(error)
        else:
            log.info('workload identity of client "%s" set from %s', client.name, request.remote_addr)
            return _made(client.name, client.id)
    given = _given_federation() if problem else client.federation or Federation()
    page = render_template("panel/client_federation.html", client=client, given=given, problem=problem)
    return (page, 409) if problem else page


def revoke_client() -> ResponseReturnValue:
    """Ask for confirmation, or revoke a client, one of its secrets, or its workload identity."""
    client, credential = _client(), request.values.get("credential", "")
    if not is_form_submission():
        return render_template("panel/client_revoke.html", client=client, credential=credential)
    path = config_path()
    if credential == FEDERATION:
        client_edit.remove_federation(path, client.id)
    elif credential:
        client_edit.remove_secret(path, client.id, credential)
    else:
        client_edit.remove_client(path, client.id)
    what = _REVOKED.get(credential, f"Secret {credential} of client")
    log.info('%s "%s" revoked from %s', what, client.name, request.remote_addr)
    flash(f"{what} “{client.name}” revoked. Its access tokens no longer work.")
    return redirect(url_for("panel.clients"))


def shown_clients() -> list[Client]:
    """Return the clients, newest first, without that of a running connection test."""
    return [one for one in service().live_config.current.clients if not is_test_name(one.name)][::-1]


def _client() -> Client:
    """Return the client that the request names, or respond with 404."""
    id = request.values.get("id", "")
    found = next((client for client in shown_clients() if client.id == id), None)
    return found or refuse("There is no such client.", 404)


def _new_form(problem: str = "") -> str:
    given = {"name": "Entra", "scope": "read-write", "method": SECRET, **dict.fromkeys(_FIELDS, "")}
    given |= {name: request.form[name] for name in given if name in request.form}
    return render_template("panel/client_new.html", given=given, scopes=SCOPES, problem=problem)


def _made(name: str, id: str, secret: str = "") -> str:
    return render_template("panel/client_made.html", name=name, id=id, secret=secret, **_urls())


def _urls() -> dict[str, str]:
    return {"url": base_url(), "token_url": token_url()}


def _given_federation() -> Federation:
    issuer, jwks_url, subject, audiences = (form_field(name).strip() for name in _FIELDS)
    return Federation(issuer, jwks_url, subject, tuple(dict.fromkeys(_forms(audiences.split()))))


def _forms(audiences: list[str]) -> Iterator[str]:
    """Yield each audience, and the other forms in which Entra sends that of a workload identity."""
    for audience in audiences:
        yield audience
        if audience.startswith("api://"):
            app = audience.removesuffix("/.default")
            yield from (app, f"{app}/.default", app.removeprefix("api://"))
