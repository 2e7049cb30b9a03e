"""The provisioning log: one entry for each request that changed something or failed, and counts of all requests."""

from pathlib import Path

from flask import Flask

from provisioning_log.archive import Archive
from provisioning_log.log import ProvisioningLog
from provisioning_log.shared_activity import SharedActivity
from scim.directory.service import Service
from storage.state import FileState

__all__ = ["ProvisioningLog", "activity_of", "install", "log_of"]

HOSTS_PAUSE = 10.0  # seconds between two writes of one worker to a database
EXTENSION, ACTIVITY = "tinyscim.log", "tinyscim.log.activity"


def install(app: Flask, service: Service, files: Archive | None, counts: Path | None) -> None:
    """Register the counts and the log as observers of the service; the log may be off.

    The counts are in a file, or where several hosts share them, or without a path this process's alone.
    """
    activity = SharedActivity((lambda: FileState(counts)) if counts else None)
    if service.startup_config.store.url:
        activity = SharedActivity(lambda: service.state("counts"), HOSTS_PAUSE)
    app.extensions[ACTIVITY] = activity
    service.observers.append(activity.observe)
    if files:
        log = ProvisioningLog(files, service)
        service.observers.append(log.observe)
        app.extensions[EXTENSION] = log


def log_of(app: Flask) -> ProvisioningLog | None:
    """Return the application's log, or None if it is off."""
    return app.extensions.get(EXTENSION)


def activity_of(app: Flask) -> SharedActivity:
    """Return the application's counts of requests and changes."""
    found: SharedActivity = app.extensions[ACTIVITY]
    return found
