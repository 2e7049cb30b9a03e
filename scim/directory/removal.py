"""Deletes a resource without a request for it: observers are told all the same."""

import time

from scim.directory.events import Event
from scim.directory.service import Service
from scim.protocol.preconditions import Preconditions
from scim.schema.resource_types import ResourceType


def remove(service: Service, type: ResourceType, id: str, version: str, cause: str) -> None:
    """Delete a resource that is in this version. Raises NotFound, PreconditionFailed."""
    started = time.perf_counter()
    outcome = service.resources("").delete(type, id, Preconditions(if_match=version))
    path = f"{service.startup_config.server.base_path}{type.endpoint}/{id}"
    took = (time.perf_counter() - started) * 1000
    service.emit_event(Event("DELETE", path, 204, milliseconds=took, outcome=outcome, cause=cause))
