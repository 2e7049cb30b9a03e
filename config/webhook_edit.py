"""Changes of [[webhooks]] that the panel and the command line make to the configuration file."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import Table

from config import NEVER, Webhook, read
from config.edit import Refused, changing, check_name, drop, find, has_expired, tables
from config.schema import MAX_WEBHOOKS
from config.tokens import new_signing_secret

OVERLAP = timedelta(days=1)
MAX_SECRETS = 5


def add_webhook(path: Path, name: str, url: str, types: Sequence[str] = ()) -> str:
    """Add a webhook and return its secret. Raises Refused."""
    check_name(name)
    secret, table = new_signing_secret()
    with changing(path) as document:
        webhooks = tables(document, "webhooks")
        if any(one["name"] == name for one in webhooks):
            raise Refused(f'There is a webhook "{name}" already. Choose another name.')
        if len(webhooks) >= MAX_WEBHOOKS:
            raise Refused(f"There are at most {MAX_WEBHOOKS} webhooks. Remove one that is no longer used.")
        added = {"name": name, "url": url, "types": list(types), "paused": False, "secrets": [table]}
        webhooks.append(tomlkit.item(added))
    return secret


def rotate_secret(path: Path, name: str, overlap: timedelta = OVERLAP) -> tuple[str, Webhook]:
    """Add a secret to a webhook; the others sign for the time of the overlap. Raises Refused.

    Returns the secret, and the webhook as it was.
    """
    secret, table = new_signing_secret()
    with changing(path) as document:
        webhook, end = _webhook(document, name), datetime.now(UTC).replace(microsecond=0) + overlap
        known = tables(webhook, "secrets")
        for one in [one for one in known if has_expired(one) or not overlap]:
            known.remove(one)
        if len(known) >= MAX_SECRETS:
            raise Refused(f"A webhook has at most {MAX_SECRETS} secrets. Let the old ones expire now, or wait.")
        for one in known:
            one["expires"] = end if one["expires"] == NEVER else min(end, one["expires"])
        known.append(tomlkit.item(table))
        before = read(path).webhook(name)
    assert before
    return secret, before


def restore_secrets(path: Path, webhook: Webhook) -> None:
    """Restore the secrets that a webhook had. Raises Refused."""
    with changing(path) as document:
        array = tomlkit.aot()
        for one in webhook.secrets:
            known = {name: value for name, value in asdict(one).items() if value}
            array.append(tomlkit.item({**known, "expires": one.expires or NEVER}))
        _webhook(document, webhook.name)["secrets"] = array


def set_paused(path: Path, name: str, paused: bool) -> None:
    """Pause a webhook, or let it go on. Raises Refused."""
    with changing(path) as document:
        _webhook(document, name)["paused"] = paused


def remove_webhook(path: Path, name: str) -> None:
    """Remove a webhook with its secrets. Raises Refused."""
    with changing(path) as document:
        drop(document, "webhooks", _webhook(document, name))


def _webhook(document: TOMLDocument, name: str) -> Table:
    return find(document, "webhooks", "name", name, f'No such webhook: "{name}". List them with: flask webhook list')
