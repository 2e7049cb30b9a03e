"""Which tokens and client secrets expire soon."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from config import Client, Config
from config.tokens import is_test_name

SOON, URGENT = timedelta(days=30), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Expiry:
    """A credential that expires soon, and what to do."""

    what: str
    end: datetime
    remedy: str

    @property
    def is_urgent(self) -> bool:
        """Whether it expires within a week."""
        return self.end - datetime.now(UTC) <= URGENT

    @property
    def title(self) -> str:
        """What expires, and when."""
        days = (self.end - datetime.now(UTC)).days
        left = "in less than a day" if days < 1 else f"in {days} day{'s' if days > 1 else ''}"
        return f"{self.what} expires on {self.end.day} {self.end:%B %Y, %H:%M} UTC, {left}"

    def __str__(self) -> str:
        return f"{self.title}. {self.remedy}"


def expiring(config: Config) -> list[Expiry]:
    """Return the credentials that expire within 30 days, the first to expire first."""
    return sorted((expiry for expiry in expiries(config) if _is_soon(expiry.end)), key=lambda expiry: expiry.end)


def expiries(config: Config) -> Iterator[Expiry]:
    """Yield every credential that expires or has expired: tokens, and the last secret of each client."""
    yield from _tokens(config)
    for client in config.clients:
        yield from _secrets(client)


def _tokens(config: Config) -> Iterator[Expiry]:
    for token in config.tokens:
        if token.expires and not is_test_name(token.name):
            remedy = "If Entra uses it, create another token and enter it in Entra before then."
            yield Expiry(f"The token “{token.name}”", token.expires.astimezone(UTC), remedy)


def _secrets(client: Client) -> Iterator[Expiry]:
    """Yield the client's secret that expires last: others have been replaced by it."""
    last = max(client.secrets, key=lambda secret: _end(secret.expires), default=None)
    if last and last.expires and not is_test_name(client.name):
        remedy = "Create another secret and enter it in Entra before then."
        yield Expiry(f"Secret {last.id} of the client “{client.name}”", last.expires.astimezone(UTC), remedy)


def _end(moment: datetime | None) -> datetime:
    return moment or datetime.max.replace(tzinfo=UTC)


def _is_soon(moment: datetime) -> bool:
    return timedelta(0) < moment - datetime.now(UTC) <= SOON
