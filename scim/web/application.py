"""Flask without work for each request that none here needs: async views, host matching, most of the routing."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import flask
from flask import Flask
from flask.ctx import RequestContext
from werkzeug.routing import Map, MapAdapter, Rule
from werkzeug.sansio.utils import get_host

from scim.web.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Rules = dict[tuple[str, str], Rule]
"""Rules by method and path."""


class Application(Flask):
    """The Flask application."""

    request_class = Request

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view as it is: none here is a coroutine, and Flask would look at each call whether it is."""
        return func

    def request_context(self, environ: "WSGIEnvironment") -> RequestContext:
        """Return the context of a request."""
        return _Context(self, environ)

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        """Return what finds the view of a request and the addresses of others. Raises SecurityError, BadHost."""
        if request is None:
            return super().create_url_adapter(None)
        environ, scheme, trusted = request.environ, request.scheme, tuple(self.config["TRUSTED_HOSTS"] or ())
        request.host, server_name = _host(scheme, environ.get("HTTP_HOST"), request.server, trusted)
        root, query = request.root_path, environ.get("QUERY_STRING", "")
        return MapAdapter(self.url_map, server_name, root, "", scheme, request.path, request.method, query)

    @cached_property
    def plain_rules(self) -> tuple[Rules, Rules]:
        """The rules whose paths are text alone, and those with an id behind the text, by that text."""
        fixed: Rules = {}
        by_id: Rules = {}
        for rule in self.url_map.iter_rules():
            text = rule.rule.removesuffix("/<id:id>")
            if "<" not in text:
                for method in rule.methods or ():
                    (by_id if rule.arguments else fixed).setdefault((method, text), rule)
        return fixed, by_id


@lru_cache(maxsize=64)  # it comes from outside, and is nearly always the same
def _host(
    scheme: str, header: str | None, server: tuple[str, int | None] | None, trusted: tuple[str, ...]
) -> tuple[str, str]:
    """Return a request's host, and the same as Werkzeug has it in addresses. Raises SecurityError, BadHost."""
    host = get_host(scheme, header, server, trusted)
    return host, Map().bind(host).server_name


class _Context(RequestContext):
    """The context of a request, which finds the view of most by a look-up and leaves the others to werkzeug."""

    def match_request(self) -> None:
        asked = self.request
        fixed, by_id = cast(Application, self.app).plain_rules
        asked.url_rule, asked.view_args = fixed.get((asked.method, asked.path)), {}
        if asked.url_rule is None:
            text, _, id = asked.path.rpartition("/")
            if id and not id.startswith("."):
                asked.url_rule, asked.view_args = by_id.get((asked.method, text)), {"id": id}
        if asked.url_rule is None:
            super().match_request()
