"""The administrator's web panel: server-rendered pages under /panel."""

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Flask, abort, redirect, url_for
from flask.typing import ResponseReturnValue

from config.expiry import expiring
from panel import clients, connection, directory, guide, menu, overview, page, tokens, webhooks
from panel import log as log_pages
from panel.attributes import attribute_names
from panel.export import export
from panel.security import PREFIX, PanelSecurity
from panel.sessions import MAX_LIFETIME
from panel.signin import SignIn
from provisioning_log import portal
from runtime.shared_ids import SharedIds
from runtime.throttle import Throttle
from scim.directory.service import Service

ENTRA = "/integrations/entra"
WEBHOOKS = "/webhooks"


def install(app: Flask, served: Service, failures_path: Path | None = None) -> None:
    """Register the panel and redirect the root to it. All workers of this host share the file of failed sign-ins."""
    revoked = SharedIds(lambda: served.state("sessions"), MAX_LIFETIME)
    panel = Blueprint("panel", __name__, static_folder="static", template_folder="templates")
    PanelSecurity(served, revoked).init_app(app, panel)
    panel.register_error_handler(Exception, page.show_error)
    for name, filter in (("moment", page.moment), ("day", page.day), ("ago", page.ago), ("iso", page.as_datetime)):
        panel.add_app_template_filter(filter, name)
    shared = {"navigation": menu.navigation, "tabs": menu.tabs, "live_config": served.live_config, "portal": portal}
    shared["expiring"] = lambda: expiring(served.live_config.current)
    panel.app_context_processor(lambda: shared | log_pages.helpers())
    _add_pages(panel, SignIn(revoked, Throttle(path=failures_path)))
    app.register_blueprint(panel, url_prefix=PREFIX)
    app.add_url_rule("/", "root", _redirect_to("home"))


def _add_pages(panel: Blueprint, authentication: SignIn) -> None:
    form = ("GET", "POST")
    for path, name, view, methods in (
        ("/", "home", overview.overview, ("GET",)),
        ("/sign-in", "sign_in", authentication.sign_in, form),
        ("/sign-out", "sign_out", authentication.sign_out, ("POST",)),
        ("/integrations", "integrations", _redirect_to("home"), ("GET",)),
        (ENTRA, "entra", connection.entra, ("GET",)),
        (f"{ENTRA}/switch", "switch", connection.switch, ("POST",)),
        (f"{ENTRA}/switch", "switch_page", _redirect_to("entra"), ("GET",)),
        (f"{ENTRA}/test", "test", connection.test, form),
        (f"{ENTRA}/tokens/new", "new_token", tokens.new_token, form),
        (f"{ENTRA}/tokens/revoke", "revoke_token", tokens.revoke_token, form),
        (f"{ENTRA}/clients", "clients", clients.clients, ("GET",)),
        (f"{ENTRA}/clients/new", "new_client", clients.new_client, form),
        (f"{ENTRA}/clients/secret", "new_secret", clients.new_secret, form),
        (f"{ENTRA}/clients/federation", "federation", clients.federation, form),
        (f"{ENTRA}/clients/revoke", "revoke_client", clients.revoke_client, form),
        (WEBHOOKS, "webhooks", webhooks.webhooks, ("GET",)),
        (f"{WEBHOOKS}/new", "new_webhook", webhooks.new_webhook, form),
        (f"{WEBHOOKS}/rotate", "rotate_webhook", webhooks.rotate_webhook, form),
        (f"{WEBHOOKS}/again", "send_again", webhooks.send_again, form),
        (f"{WEBHOOKS}/act", "act_on_webhook", webhooks.act_on_webhook, ("POST",)),
        (f"{WEBHOOKS}/act", "act_page", _redirect_to("webhooks"), ("GET",)),
        (f"{WEBHOOKS}/remove", "remove_webhook", webhooks.remove_webhook, form),
        (f"{ENTRA}/guide", "guide", guide.guide, ("GET",)),
        (f"{ENTRA}/guide/progress", "guide_progress", guide.progress, ("POST",)),
        (f"{ENTRA}/guide/progress", "guide_progress_page", _redirect_to("guide"), ("GET",)),
        (f"{ENTRA}/guide/schema", "schema_file", guide.schema_file, ("POST",)),
        (f"{ENTRA}/guide/schema", "schema_page", _redirect_to("guide"), ("GET",)),
        ("/directory/<kind>", "listing", directory.listing, ("GET",)),
        ("/directory/<kind>.<format>", "export", export, ("GET",)),
        ("/directory/<kind>/<id>", "resource", directory.resource, ("GET",)),
        ("/directory/<kind>/<id>/remove", "remove", directory.remove, form),
        ("/log", "log", log_pages.listing, ("GET",)),
        ("/log/record", "record_reads", log_pages.record, ("POST",)),
        ("/log/record", "record_page", _redirect_to("log"), ("GET",)),
        ("/log/unknown", "log_unknown", log_pages.unknown, ("GET",)),
        ("/log/<id>", "log_entry", log_pages.entry, ("GET",)),
        ("/deprovisioning", "deprovisioning", log_pages.deprovisioning, ("GET",)),
        ("/attributes", "attribute_names", attribute_names, form),
        ("/<path:rest>", "missing", _missing, ("GET",)),
    ):
        panel.add_url_rule(path, name, view, methods=methods)


def _missing(rest: str) -> ResponseReturnValue:
    """Respond to unknown paths with the panel's own 404 page, which requires a session."""
    abort(404, description="Use the menu to find the page.")


def _redirect_to(page: str) -> Callable[[], ResponseReturnValue]:
    """Return a view that redirects to a page, such as from the URL of its form: after signing in, browsers use GET."""
    return lambda: redirect(url_for(f"panel.{page}"))
