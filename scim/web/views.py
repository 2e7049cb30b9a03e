"""The endpoints of resources: thin, and the same for every resource type (RFC 7644 section 3.2)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response
from werkzeug.routing import BaseConverter

from scim.budget import Budget
from scim.directory.bulk import Bulk
from scim.directory.resources import Resources, WriteResult
from scim.errors import NotImplementedHere
from scim.protocol import patch
from scim.protocol.bulk import BulkOperation, load_bulk
from scim.protocol.messages import load_projection, load_query
from scim.protocol.preconditions import UNCONDITIONAL, Preconditions, version_of
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.schema.resource_types import Registry, ResourceType
from scim.web.hooks import emit_event, json_response, log_unknown_attributes
from scim.web.request import Request, base_url, current, service


class _Id(BaseConverter):
    """A resource's id in an address, where .search is none."""

    regex = r"(?!\.search$)[^/]+"


_ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_blueprint(registry: Registry) -> Blueprint:
    """Make the endpoints of every resource type, of the root, of Bulk and of Me."""
    scim = Blueprint("scim", __name__)
    scim.record(lambda state: state.app.url_map.converters.update(id=_Id))
    every = list(registry.types.values())
    for type in every:
        one, several = f"{type.endpoint}/<id:id>", type.endpoint
        _rule(scim, several, {"GET": _list, "POST": _create}, type)
        _rule(scim, one, {"GET": _get, "PUT": _replace, "PATCH": _patch, "DELETE": _delete}, type)
        _rule(scim, f"{several}/.search", {"POST": _search}, [type])
    _rule(scim, "/", {"GET": _list_all}, every)
    _rule(scim, "/.search", {"POST": _search}, every)
    _rule(scim, "/Bulk", {"POST": _bulk}, None)
    _rule(scim, "/Me", dict.fromkeys(_ALL_METHODS, _me), None)
    return scim


def _rule(scim: Blueprint, path: str, views: Mapping[str, Callable[..., Response]], about: Any) -> None:
    """Route each method of a path to its view, which is called with the request and with what the path is about."""

    def view(**arguments: Any) -> Response:
        asked = current()
        method = "GET" if asked.method == "HEAD" else asked.method
        return views[method](asked, about, **arguments)

    scim.add_url_rule(path, path.replace(".", "_"), view, methods=list(views), provide_automatic_options=False)


def _create(asked: Request, type: ResourceType) -> Response:
    projection = _projection(asked)
    resources = _resources()
    return _written(asked, resources, _write(asked, resources, "POST", type, None, asked.read_body()), projection)


def _get(asked: Request, type: ResourceType, id: str) -> Response:
    resources = _resources()
    answer = resources.get(type, id, _projection(asked), _conditions(asked))
    headers = [("ETag", answer.version), ("Location", resources.resource_url(type, id))]
    return json_response(answer.text, 200 if answer.text else 304, headers)


def _replace(asked: Request, type: ResourceType, id: str) -> Response:
    projection = _projection(asked)
    resources = _resources()
    return _written(asked, resources, _write(asked, resources, "PUT", type, id, asked.read_body()), projection)


def _patch(asked: Request, type: ResourceType, id: str) -> Response:
    projection = _projection(asked)
    resources = _resources()
    status, outcome = _write(asked, resources, "PATCH", type, id, asked.read_body())
    if projection != DEFAULT_PROJECTION or _preference(asked) == "representation":
        status = 200
    return _written(asked, resources, (status, outcome), projection)


def _delete(asked: Request, type: ResourceType, id: str) -> Response:
    _write(asked, _resources(), "DELETE", type, id, {})
    return json_response(None, 204)


def _list(asked: Request, type: ResourceType) -> Response:
    return _answer_query(asked, [type], asked.args.to_dict())


def _list_all(asked: Request, types: list[ResourceType]) -> Response:
    return _answer_query(asked, types, asked.args.to_dict())


def _search(asked: Request, types: list[ResourceType]) -> Response:
    return _answer_query(asked, types, asked.read_body(), message=True)


def _bulk(asked: Request, _: None) -> Response:
    resources = _resources()
    limit = service().startup_config.limits.max_bulk_operations
    operations, fail_on_errors = load_bulk(asked.read_body(), max_operations=limit)
    bulk = Bulk(resources, partial(execute_write, resources, _patch_budget()), _report)
    return json_response(bulk.run(operations, fail_on_errors))


def _report(
    operation: BulkOperation, milliseconds: float, outcome: WriteResult | None, result: Mapping[str, Any]
) -> None:
    path = f"{service().startup_config.server.base_path}/{operation.path.strip('/')}"
    answer, status = result.get("response"), int(result["status"])
    emit_event(operation.method, path, status, milliseconds, outcome=outcome, request=operation.data, response=answer)


def _me(*_: object) -> Response:
    raise NotImplementedHere("A bearer token stands for a client, not for a user: there is no /Me here.")


def _write(
    asked: Request, resources: Resources, method: str, type: ResourceType, id: str | None, body: Mapping[str, Any]
) -> tuple[int, WriteResult]:
    """Carry out the one write of a request, under its conditions."""
    conditions = UNCONDITIONAL if method == "POST" else _conditions(asked)
    status, asked.outcome = execute_write(resources, _patch_budget(), method, type, id, body, conditions)
    return status, asked.outcome


def _patch_budget() -> Budget:
    return Budget(service().startup_config.limits.max_patch_steps, patch.ADVICE)


def execute_write(
    resources: Resources,
    budget: Budget,
    method: str,
    type: ResourceType,
    id: str | None,
    body: Mapping[str, Any],
    conditions: Preconditions = UNCONDITIONAL,
) -> tuple[int, WriteResult]:
    """Carry out one write, of a request of its own or of one in Bulk, and return its status; as `Resources`.

    The budget is that of the whole request.
    """
    if method == "POST":
        status, outcome = 201, resources.create(type, service().dialect.resource(type, body), id=id)
    elif method == "PUT":
        status, outcome = 200, resources.replace(type, id or "", service().dialect.resource(type, body), conditions)
    elif method == "PATCH":
        status = 200 if service().dialect.answers_patch_with_resource(type) else 204
        outcome = resources.patch(type, id or "", body, budget, conditions)
    else:
        status, outcome = 204, resources.delete(type, id or "", conditions)
    log_unknown_attributes(outcome.unknown)
    return status, outcome


def _answer_query(
    asked: Request, types: list[ResourceType], parameters: dict[str, Any], *, message: bool = False
) -> Response:
    limits = service().startup_config.limits
    query, projection = load_query(
        parameters,
        default_count=limits.page_size,
        max_count=limits.max_page_size,
        max_steps=limits.max_query_steps,
        message=message,
    )
    client = asked.token.name if asked.token else ""
    secret = b"" if query.cursor is None else service().cursor_secret(client)
    return json_response(_resources().query(types, query, secret, projection))


def _written(
    asked: Request, resources: Resources, performed: tuple[int, WriteResult], projection: Projection
) -> Response:
    """Answer a write; `Prefer: return=` may ask for less or more than usual (RFC 7240 section 4.2)."""
    status, outcome = performed
    assert outcome.after
    preference = _preference(asked)
    headers = [
        ("Location", resources.resource_url(outcome.type, outcome.id)),
        ("ETag", version_of(outcome.after)),
    ]
    if preference:
        headers.append(("Preference-Applied", f"return={preference}"))
    if preference == "minimal" or status == 204:
        return json_response(None, 201 if status == 201 else 204, headers)
    return json_response(resources.render(outcome.type, outcome.after, projection).text, status, headers)


def _resources() -> Resources:
    return service().resources(base_url())


def _projection(asked: Request) -> Projection:
    return load_projection(asked.args) if asked.query_string else DEFAULT_PROJECTION


def _conditions(asked: Request) -> Preconditions:
    return Preconditions(asked.header("HTTP_IF_MATCH"), asked.header("HTTP_IF_NONE_MATCH"))


def _preference(asked: Request) -> str:
    wanted = asked.header("HTTP_PREFER").replace(" ", "").lower().split(",")
    return next((word for word in ("minimal", "representation") if f"return={word}" in wanted), "")
