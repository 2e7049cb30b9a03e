"""The provisioning log: one entry for each request that changed something or failed."""

from flask import Flask

from provisioning_log.archive import Archive
from provisioning_log.log import ProvisioningLog
from scim.directory.service import Service

__all__ = ["ProvisioningLog", "install", "log_of"]

EXTENSION = "tinyscim.log"


def install(app: Flask, service: Service, files: Archive | None) -> None:
    """Register the log as an observer of the service, unless it is off."""
    if files:
        log = ProvisioningLog(files, service)
        service.observers.append(log.observe)
        app.extensions[EXTENSION] = log


def log_of(app: Flask) -> ProvisioningLog | None:
    """Return the application's log, or None if it is off."""
    return app.extensions.get(EXTENSION)
