"""The provisioning log: one entry for each request that changed something or failed, and counts of all requests."""

from pathlib import Path

from flask import Flask

from provisioning_log.activity_file import ActivityFile
from provisioning_log.archive import Archive
from provisioning_log.log import ProvisioningLog
from scim.directory.service import Service

__all__ = ["ProvisioningLog", "activity_of", "install", "log_of"]

EXTENSION, ACTIVITY = "tinyscim.log", "tinyscim.log.activity"


def install(app: Flask, service: Service, files: Archive | None, counts: Path | None) -> None:
    """Register the counts and the log as observers of the service; the log may be off."""
    app.extensions[ACTIVITY] = activity = ActivityFile(counts)
    service.observers.append(activity.observe)
    if files:
        log = ProvisioningLog(files, service)
        service.observers.append(log.observe)
        app.extensions[EXTENSION] = log


def log_of(app: Flask) -> ProvisioningLog | None:
    """Return the application's log, or None if it is off."""
    return app.extensions.get(EXTENSION)


def activity_of(app: Flask) -> ActivityFile:
    """Return the application's counts of requests and changes."""
    found: ActivityFile = app.extensions[ACTIVITY]
    return found
