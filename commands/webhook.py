"""`flask webhook`: create, list, pause, test and remove webhooks, and send events to them again."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import click
from flask import current_app

from commands.output import Group, as_minute, check_stdout_open, print_table
from commands.paths import config_path
from commands.token import show
from config import Webhook, edit, webhook_edit
from config.reload import ReloadingConfig
from provisioning_log.search import read_time
from webhooks import Webhooks, state_of, webhooks_of

NOT_CREATED = ", so the secret could not be shown: it was not created"

Result = TypeVar("Result")

webhook = Group("webhook", is_all=True, help="Create, list, pause, test and remove webhooks.")


@webhook.command("new")
@click.option("--name", required=True, help="The webhook's name, such as the name of its application.")
@click.option("--url", required=True, help="The URL that events are posted to.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; can be repeated.")
def new(name: str, url: str, types: tuple[str, ...]) -> None:
    """Create a webhook and print the secret that signs its events. It is shown only once."""
    check_stdout_open(NOT_CREATED)
    path, known = config_path(), _webhooks().types
    if unknown := set(types) - set(known):
        raise click.UsageError(f"There are no events of the type {min(unknown)}. The types are {', '.join(known)}.")
    _warn_if_off()
    secret = _refusable(lambda: webhook_edit.add_webhook(path, name, url, types))
    _webhooks().forget(name)
    show(secret, lambda: webhook_edit.remove_webhook(path, name), "secret")


@webhook.command("list")
def list_webhooks() -> None:
    """List the webhooks, with their state and their last event."""
    webhooks = _live_config().current.webhooks
    if not webhooks:
        click.echo("There are no webhooks. Create one with: flask webhook new --name NAME --url URL", err=True)
        return
    _warn_if_off()
    print_table(("Name", "State", "Last event", "Types", "URL"), [_row(one) for one in webhooks])


def _row(webhook: Webhook) -> tuple[str, ...]:
    progress = _webhooks().progress(webhook.name)
    last = progress.attempts[0] if progress.attempts else None
    sent = f"{as_minute(last.time, '')} {last.type} {last.status or last.problem}" if last else "never"
    return webhook.name, state_of(webhook, progress), sent, ", ".join(webhook.types) or "all", webhook.url


@webhook.command("rotate")
@click.argument("name")
@click.option(
    "--hours",
    type=click.IntRange(0, 24 * 30),
    default=webhook_edit.OVERLAP // timedelta(hours=1),
    show_default=True,
    help="The hours for which the old secrets sign as well.",
)
def rotate(name: str, hours: int) -> None:
    """Create another secret for a webhook and print it. Until the old ones expire, events are signed with all."""
    check_stdout_open(NOT_CREATED)
    path = config_path()
    secret, before = _refusable(lambda: webhook_edit.rotate_secret(path, name, timedelta(hours=hours)))
    show(secret, lambda: webhook_edit.restore_secrets(path, before), "secret")


@webhook.command("pause")
@click.argument("name")
def pause(name: str) -> None:
    """Stop sending events. They wait for as long as the event feed keeps them."""
    _refusable(lambda: webhook_edit.set_paused(config_path(), name, True))
    click.echo(f'Paused the webhook "{name}".', err=True)


@webhook.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Send the events that wait. The first is the one at which the webhook stopped."""
    if _find(name).paused:
        _refusable(lambda: webhook_edit.set_paused(config_path(), name, False))
    _webhooks().resume(name)
    click.echo(f'Resumed the webhook "{name}".', err=True)


@webhook.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove a webhook. A running server stops sending within a second."""
    _refusable(lambda: webhook_edit.remove_webhook(config_path(), name))
    _webhooks().forget(name)
    click.echo(f'Removed the webhook "{name}".', err=True)


@webhook.command("test")
@click.argument("name")
def test(name: str) -> None:
    """Send a test event and report the answer. Its type is webhook.test."""
    attempt = _webhooks().test(_find(name))
    if not attempt.succeeded:
        raise click.ClickException(f"{attempt.problem}.")
    click.echo(f"OK: the answer is {attempt.status}")


@webhook.command("resend")
@click.argument("name")
@click.option("--since", metavar="TIME", help="From this time on: 2026-01-31T12:00 (UTC), or an age such as 2h.")
@click.option("--event", metavar="ID", help="From this event on.")
def resend(name: str, since: str | None, event: str | None) -> None:
    """Send all events again from a time or an event on. Give one of the two."""
    if bool(since) == bool(event):
        raise click.UsageError("Give either --since or --event.")
    _find(name)
    try:
        time = read_time(since) if since else ""
    except (ValueError, OverflowError):
        raise click.UsageError(
            f'"{since}" is not a date. Use 2026-01-31, 2026-01-31T12:00 (UTC), or an age such as 30m, 2h or 7d.'
        ) from None
    current_app.extensions["tinyscim"].open()
    _refusable(lambda: _webhooks().send_again(name, since=time, id=event or ""))
    click.echo(f'The webhook "{name}" gets the events again.', err=True)


def _warn_if_off() -> None:
    if not _webhooks().is_on:
        click.echo(
            "Warning: the event feed is off, so nothing is sent. Set enabled = true under [events] and restart.",
            err=True,
        )


def _find(name: str) -> Webhook:
    found = _live_config().current.webhook(name)
    if found is None:
        raise click.ClickException(f'No such webhook: "{name}". List them with: flask webhook list')
    return found


def _refusable(change: Callable[[], Result]) -> Result:
    try:
        return change()
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None


def _live_config() -> ReloadingConfig:
    config: ReloadingConfig = current_app.extensions["tinyscim"].live_config
    return config


def _webhooks() -> Webhooks:
    return webhooks_of(current_app)
