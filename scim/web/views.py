"""The endpoints of resources, the same for every resource type (RFC 7644 section 3.2)."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response
from flask.views import MethodView
from werkzeug.routing import BaseConverter

from runtime.redact import cut
from scim.budget import Budget
from scim.directory.bulk import Bulk
from scim.directory.resources import WriteResult
from scim.errors import NotImplementedHere
from scim.protocol import patch
from scim.protocol.bulk import BulkOperation, load_bulk
from scim.protocol.messages import load_query
from scim.protocol.preconditions import version_of
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.schema.resource_types import Registry, ResourceType
from scim.web.hooks import json_response, log_unknown_attributes
from scim.web.request import request


class ResourceIdConverter(BaseConverter):
    """A resource's id in a URL. `.search` is not an id."""

    regex = r"(?!\.search$)[^/]+"


class ScimView(MethodView):
    """The base of the views: OPTIONS is answered 405, and one instance serves all requests."""

    provide_automatic_options = False
    init_every_request = False


class CollectionView(ScimView):
    """The resources of a type: list and create."""

    def __init__(self, type: ResourceType) -> None:
        self._type = type

    def get(self) -> Response:
        """List the resources (RFC 7644 section 3.4.2)."""
        return _query_response([self._type], request.parameters)

    def post(self) -> Response:
        """Create a resource (RFC 7644 section 3.3)."""
        projection = request.projection
        return _write_response(201, request.resources.create(self._type, request.get_scim_json()), projection)


class ResourceView(ScimView):
    """One resource: get, replace, patch and delete."""

    def __init__(self, type: ResourceType) -> None:
        self._type = type

    def get(self, id: str) -> Response:
        """Return the resource (RFC 7644 section 3.4.1)."""
        resources = request.resources
        answer = resources.get(self._type, id, request.projection, request.preconditions)
        headers = [("ETag", answer.version), ("Location", resources.resource_url(self._type, id))]
        return json_response(answer.text, 200 if answer.text else 304, headers)

    def put(self, id: str) -> Response:
        """Replace the resource (RFC 7644 section 3.5.1)."""
        projection = request.projection
        result = request.resources.replace(self._type, id, request.get_scim_json(), request.preconditions)
        return _write_response(200, result, projection)

    def patch(self, id: str) -> Response:
        """Change the resource (RFC 7644 section 3.5.2)."""
        projection, resources = request.projection, request.resources
        result = resources.patch(self._type, id, request.get_scim_json(), _patch_budget(), request.preconditions)
        wants_resource = projection != DEFAULT_PROJECTION or request.preference == "representation"
        has_resource = wants_resource or resources.leniency.answers_patch_with_resource(self._type)
        return _write_response(200 if has_resource else 204, result, projection)

    def delete(self, id: str) -> Response:
        """Delete the resource (RFC 7644 section 3.6)."""
        request.write_result = request.resources.delete(self._type, id, request.preconditions)
        return json_response(None, 204)


class RootView(ScimView):
    """The resources of all types."""

    def __init__(self, types: list[ResourceType]) -> None:
        self._types = types

    def get(self) -> Response:
        """List the resources of all types (RFC 7644 section 3.4.2.1)."""
        return _query_response(self._types, request.parameters)


class SearchView(ScimView):
    """A query in a body, over one type or all."""

    def __init__(self, types: list[ResourceType]) -> None:
        self._types = types

    def post(self) -> Response:
        """List the resources that a SearchRequest asks for (RFC 7644 section 3.4.3)."""
        return _query_response(self._types, request.get_scim_json(), is_search_request=True)


class BulkView(ScimView):
    """Several writes in one request."""

    def post(self) -> Response:
        """Carry out the operations of a BulkRequest (RFC 7644 section 3.7)."""
        limit = request.service.startup_config.limits.max_bulk_operations
        operations, fail_on_errors = load_bulk(request.get_scim_json(), max_operations=limit)
        bulk = Bulk(request.resources, _patch_budget(), _report_operation)
        return json_response(bulk.run(operations, fail_on_errors))


class MeView(ScimView):
    """The authenticated user (RFC 7644 section 3.11), which does not exist: tokens belong to clients."""

    def get(self) -> Response:
        """Answer 501."""
        raise NotImplementedHere("A bearer token stands for a client, not for a user: there is no /Me here.")

    post = put = patch = delete = get


def create_blueprint(registry: Registry) -> Blueprint:
    """Make the endpoints of every resource type, of the root, of Bulk and of Me."""
    scim = Blueprint("scim", __name__)
    scim.record(lambda state: state.app.url_map.converters.update(id=ResourceIdConverter))
    types = list(registry.types.values())
    for type in types:
        _add(scim, type.endpoint, CollectionView, type)
        _add(scim, f"{type.endpoint}/<id:id>", ResourceView, type)
        _add(scim, f"{type.endpoint}/.search", SearchView, [type])
    _add(scim, "/", RootView, types)
    _add(scim, "/.search", SearchView, types)
    _add(scim, "/Bulk", BulkView)
    _add(scim, "/Me", MeView)
    return scim


def _add(scim: Blueprint, path: str, view: type[ScimView], *about: Any) -> None:
    scim.add_url_rule(path, view_func=view.as_view(path.replace(".", "_"), *about))


def _write_response(status: int, result: WriteResult, projection: Projection) -> Response:
    """Answer a write; `Prefer: return=` may ask for less or more than usual (RFC 7240 section 4.2)."""
    assert result.after
    request.write_result = result
    log_unknown_attributes(result.unknown)
    resources, preference = request.resources, request.preference
    headers = [("Location", resources.resource_url(result.type, result.id)), ("ETag", version_of(result.after))]
    if preference:
        headers.append(("Preference-Applied", f"return={preference}"))
    if preference == "minimal" or status == 204:
        return json_response(None, 201 if status == 201 else 204, headers)
    return json_response(resources.render(result.type, result.after, projection).text, status, headers)


def _query_response(
    types: list[ResourceType], parameters: dict[str, Any], *, is_search_request: bool = False
) -> Response:
    limits = request.service.startup_config.limits
    query, projection = load_query(
        parameters,
        default_count=limits.page_size,
        max_count=limits.max_page_size,
        max_steps=limits.max_query_steps,
        is_search_request=is_search_request,
    )
    secret = b"" if query.cursor is None else request.service.cursor_secret(request.token_name)
    return json_response(request.resources.query(types, query, secret, projection))


def _report_operation(
    operation: BulkOperation, milliseconds: float, result: WriteResult | None, answer: Mapping[str, Any]
) -> None:
    log_unknown_attributes(result.unknown if result else ())
    path = f"{request.service.startup_config.server.base_path}/{operation.path.strip('/')}"
    event = request.event(
        int(answer["status"]),
        answer.get("response"),
        method=operation.method,
        path=cut(path, 500),
        milliseconds=milliseconds,
        outcome=result,
        request=operation.data,
        is_operation=True,
    )
    request.service.emit_event(event)


def _patch_budget() -> Budget:
    return Budget(request.service.startup_config.limits.max_patch_steps, patch.ADVICE)
