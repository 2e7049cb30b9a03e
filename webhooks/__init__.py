"""Webhooks: events posted to applications, signed, in order and at least once."""

from flask import Flask

from config import Webhook
from scim.directory.service import Service
from webhooks.progress import Progress
from webhooks.service import Webhooks

__all__ = ["Webhooks", "install", "state_of", "webhooks_of"]

EXTENSION = "tinyscim.webhooks"


def install(app: Flask, service: Service) -> None:
    """Give the application its webhooks; they deliver once they are started."""
    exclusive, find = service.store.exclusive, lambda: service.state("webhooks")
    app.extensions[EXTENSION] = Webhooks(service.live_config, service.feed, find, exclusive)


def webhooks_of(app: Flask) -> Webhooks:
    """Return the application's webhooks."""
    found: Webhooks = app.extensions[EXTENSION]
    return found


def state_of(webhook: Webhook, progress: Progress) -> str:
    """Return the state of a webhook in a word or two."""
    if webhook.paused:
        return "paused"
    if progress.stopped:
        return "paused after failures"
    if not webhook.keys:
        return "without a secret"
    return "failing" if progress.failures else "active"
