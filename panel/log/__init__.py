"""What the identity provider did: one entry for each request that changed something or failed."""

from flask import Flask

from config import Config, ConfigError
from panel.log.archive import Archive
from panel.log.provisioning import ProvisioningLog
from scim.service import Service
from storage.files import Files

__all__ = ["ProvisioningLog", "install", "log_of", "refuse_shared_path"]

EXTENSION = "tinyscim.log"


def install(app: Flask, service: Service, settings: Config) -> None:
    """Let the log observe the service, unless it is off."""
    options = settings.log
    if options.path and (settings.path or options.path.startswith("/")):
        files = Archive(settings.resolve(options.path), options.max_bytes, options.days)
        log = ProvisioningLog(files, service)
        service.observers.append(log.observe)
        app.extensions[EXTENSION] = log


def refuse_shared_path(settings: Config) -> None:
    """Refuse a path where something else is kept, which the log would move aside; ConfigError."""
    path, store = settings.resolve(settings.log.path).resolve(), Files(settings.resolve(settings.store.path))
    own = settings.path.resolve() if settings.path else None
    is_config = own and path in (own, own.with_name(own.name + ".lock"))
    if is_config or store.owns(path) or store.owns(path.parent):
        source = settings.path or "configuration"
        raise ConfigError(f"{source}: [log] path must be a file of its own, not {settings.log.path}")


def log_of(app: Flask) -> ProvisioningLog | None:
    """Return the application's log, None where it is off."""
    return app.extensions.get(EXTENSION)
