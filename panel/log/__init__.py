"""What the identity provider did: one entry for each request that changed something or failed."""

from flask import Flask

from config import Config
from panel.log.archive import Archive
from panel.log.provisioning import ProvisioningLog
from scim.service import Service

__all__ = ["ProvisioningLog", "install", "log_of"]

EXTENSION = "tinyscim.log"


def install(app: Flask, service: Service, settings: Config) -> None:
    """Let the log observe the service, unless it is off."""
    options = settings.log
    if options.path and (settings.path or options.path.startswith("/")):
        files = Archive(settings.resolve(options.path), options.max_bytes, options.days)
        log = ProvisioningLog(files, service)
        service.observers.append(log.observe)
        app.extensions[EXTENSION] = log


def log_of(app: Flask) -> ProvisioningLog | None:
    """Return the application's log, None where it is off."""
    return app.extensions.get(EXTENSION)
