"""The discovery endpoints: /Schemas, /ResourceTypes and /ServiceProviderConfig (RFC 7644 section 4)."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from config import Config
from scim.directory.resources import LIST_RESPONSE
from scim.errors import Forbidden, NotFound, shorten
from scim.protocol.messages import parameter_name
from scim.schema.resource_types import Registry, ResourceType
from scim.web.hooks import json_response
from scim.web.request import base_url, service

SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"
RESOURCE_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SERVICE_PROVIDER_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"


def create_blueprint(config: Config, registry: Registry) -> Blueprint:
    """Create the blueprint of the discovery endpoints, which only support GET."""
    discovery = Blueprint("discovery", __name__)

    def rule(path: str, view: Callable[..., Response]) -> None:
        discovery.add_url_rule(path, path, view, methods=["GET"], provide_automatic_options=False)

    def schemas() -> Response:
        return _listed([schema_document(registry, urn) for urn in registry.schemas])

    def schema(urn: str) -> Response:
        known = next((one for one in registry.schemas if one.lower() == urn.lower()), None)
        if known is None:
            raise NotFound(f"There is no schema {shorten(urn)}.")
        return json_response(schema_document(registry, known))

    def resource_types() -> Response:
        return _listed([resource_type_document(type) for type in registry.types.values()])

    def resource_type(name: str) -> Response:
        if name not in registry.types:
            raise NotFound(f"There is no resource type {shorten(name)}.")
        return json_response(resource_type_document(registry.types[name]))

    def service_provider_config() -> Response:
        has_clients = bool(service().live_config.current.clients)
        return json_response(service_provider_config_document(config, has_clients=has_clients))

    rule("/Schemas", schemas)
    rule("/Schemas/<urn>", schema)
    rule("/ResourceTypes", resource_types)
    rule("/ResourceTypes/<name>", resource_type)
    rule("/ServiceProviderConfig", service_provider_config)
    rule("/serviceConfiguration", service_provider_config)  # as Microsoft's documentation spells it
    return discovery


def schema_document(registry: Registry, urn: str) -> dict[str, Any]:
    """Return a schema as a resource."""
    meta = {"resourceType": "Schema", "location": f"{base_url()}/Schemas/{urn}"}
    return {"schemas": [SCHEMA], **registry.schemas[urn].to_json(), "meta": meta}


def resource_type_document(type: ResourceType) -> dict[str, Any]:
    """Return a resource type as a resource."""
    return {
        "schemas": [RESOURCE_TYPE],
        "id": type.name,
        "name": type.name,
        "endpoint": type.endpoint,
        "description": type.schema.description,
        "schema": type.schema.id,
        "schemaExtensions": [
            {"schema": extension.id, "required": extension.id in type.required_extensions}
            for extension in type.extensions
        ],
        "meta": {"resourceType": "ResourceType", "location": f"{base_url()}/ResourceTypes/{type.name}"},
    }


def service_provider_config_document(config: Config, *, has_clients: bool) -> dict[str, Any]:
    """Return what is supported (RFC 7643 section 5, RFC 9865 section 4); OAuth is, if there are clients."""
    limits = config.limits
    return {
        "schemas": [SERVICE_PROVIDER_CONFIG],
        "documentationUri": "https://datatracker.ietf.org/doc/html/rfc7644",
        "patch": {"supported": True},
        "bulk": {
            "supported": True,
            "maxOperations": limits.max_bulk_operations,
            "maxPayloadSize": config.server.max_body_bytes,
        },
        "filter": {"supported": True, "maxResults": limits.max_page_size},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": limits.page_size,
            "maxPageSize": limits.max_page_size,
        },
        "authenticationSchemes": [_BEARER_TOKEN, *([_OAUTH2] if has_clients else [])],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": f"{base_url()}/ServiceProviderConfig",
        },
    }


_BEARER_TOKEN = {
    "type": "oauthbearertoken",
    "name": "Bearer token",
    "description": "A static token that the administrator makes with: flask token new",
    "specUri": "https://datatracker.ietf.org/doc/html/rfc6750",
    "primary": True,
}
_OAUTH2 = {
    "type": "oauth2",
    "name": "OAuth 2.0 client credentials",
    "description": "Access tokens for a client with a secret or a workload identity: flask client new",
    "specUri": "https://datatracker.ietf.org/doc/html/rfc6749#section-4.4",
    "primary": False,
}


def _listed(resources: list[dict[str, Any]]) -> Response:
    if any(value and parameter_name(name) == "filter" for name, value in request.args.items()):  # RFC 7644 section 4
        raise Forbidden("This endpoint does not support filters.")
    return json_response(
        {
            "schemas": [LIST_RESPONSE],
            "totalResults": len(resources),
            "itemsPerPage": len(resources),
            "startIndex": 1,
            "Resources": resources,
        }
    )
