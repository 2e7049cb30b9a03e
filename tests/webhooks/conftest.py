"""A delivery whose clock the tests turn, from a feed in memory to a real receiver."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from config import Webhook, WebhookDelivery
from config.credentials import WebhookSecret
from config.tokens import new_signing_secret
from storage.base import Expired, Removed
from storage.state import FileState
from tests.support.webhook_receiver import Receiver, receiving
from webhooks.delivery import LINGER, POLL, Delivery
from webhooks.progress import Progresses


class Source:
    """A feed in memory; its cursors are numbers.

    The events up to `removed` have been removed, and after the one at `gap` there was a change without an event.
    """

    is_on = True

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.removed = 0
        self.gap: int | None = None
        self.reads = 0

    def add(self, count: int = 1, type: str = "user.created") -> None:
        for number in range(len(self.events) + 1, len(self.events) + count + 1):
            self.events.append({"id": f"event-{number}", "cursor": str(number), "type": type, "data": {"n": number}})

    def page(self, after: str, limit: int, types: Any) -> tuple[list[Any], str]:
        self.reads += 1
        start = int(after or self.removed)
        if start < self.removed:
            raise Removed
        page = self.events[start:][:limit]
        if after and self.gap is not None and start <= self.gap <= start + len(page):
            raise Expired
        return [one for one in page if not types or one["type"] in types], str(start + len(page))

    def end(self) -> str:
        return str(len(self.events))


class Rig:
    """A delivery with everything around it."""

    def __init__(self, receiver: Receiver, path: Any) -> None:
        self.receiver, self.source, self.now = receiver, Source(), 1_700_000_000.0
        self.secret = new_signing_secret()[0]
        self.webhook = Webhook("crm", receiver.url, secrets=(WebhookSecret(self.secret),))
        self.options = WebhookDelivery(timeout=2, retries=(5, 30, 120))
        self.path = path
        self.progresses = Progresses(self.state)
        self.made: list[Delivery] = []
        self.delivery = self.new_delivery()
        self.run()  # the first look: events from now on

    def state(self) -> FileState:
        return FileState(self.path)

    def new_delivery(self) -> Delivery:
        """A delivery as another process would begin it."""
        made = Delivery("crm", self.source, Progresses(self.state), lambda: self.now)
        self.made.append(made)
        return made

    def set(self, **changes: Any) -> None:
        self.webhook = replace(self.webhook, **changes)

    def run(self, steps: int = 200) -> float:
        """Deliver until there is nothing to do, and return the pause."""
        self.now += POLL
        pause = 0.0
        for _ in range(steps):
            pause = self.delivery.step(self.webhook, self.options)
            if pause > LINGER:
                break
        return pause

    def wait(self, seconds: float) -> None:
        """Let time pass, and deliver what is due then."""
        self.now += seconds
        self.run()

    @property
    def progress(self) -> Any:
        """What is saved."""
        self.now += 2
        self.delivery.step(replace(self.webhook, paused=True), self.options)
        return self.progresses.get("crm")

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.receiver.requests]


@pytest.fixture(scope="module")
def receiver_of_module() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(receiver_of_module: Receiver) -> Receiver:
    receiver_of_module.reset()
    return receiver_of_module


@pytest.fixture
def rig(receiver: Receiver, tmp_path: Any) -> Iterator[Rig]:
    rig = Rig(receiver, tmp_path / "webhooks.json")
    yield rig
    for delivery in rig.made:
        delivery.close()


@pytest.fixture
def numbers() -> Callable[[int, int], list[str]]:
    """The ids of the events from one number to another."""
    return lambda first, last: [f"event-{number}" for number in range(first, last + 1)]
