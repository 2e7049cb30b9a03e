"""Runs the deliveries in one process at a time, and carries out what an administrator asks for."""

import atexit
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from threading import Event as Signal
from threading import Thread
from uuid import uuid4

from config import Webhook
from config.edit import Refused
from config.reload import ReloadingConfig
from runtime.outgoing import Endpoint
from storage.base import Busy, Expired, State, StoreError
from webhooks.delivery import POLL, Delivery, Source, send
from webhooks.message import Event
from webhooks.progress import Attempt, Progress, Progresses

TRY_AGAIN = 2.0  # seconds until a process that does not deliver looks whether it should
AFTER_ERROR = 5.0
PATIENCE = 1.0  # for requests that have begun when the process ends
TEST_TYPE = "webhook.test"

log = logging.getLogger("tinyscim.webhooks")

Exclusive = Callable[[str], AbstractContextManager[Callable[[], bool]]]


class Webhooks:
    """The webhooks of the configuration, with a thread for each in the process that delivers."""

    def __init__(
        self, config: ReloadingConfig, source: Source, find: Callable[[], State], exclusive: Exclusive
    ) -> None:
        self._config, self._source, self._exclusive = config, source, exclusive
        self._progresses = Progresses(find)
        self._stopping = Signal()
        self._problems: dict[str, str] = {}
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start to deliver, or to wait until the process that delivers has ended."""
        self._thread = Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop, and save the progress of webhooks that answer soon."""
        self._stopping.set()
        if self._thread:
            self._thread.join(PATIENCE)

    @property
    def is_on(self) -> bool:
        """Whether changes become events."""
        return self._source.is_on

    @property
    def types(self) -> Sequence[str]:
        """The types of events that there are."""
        return self._source.types

    def progress(self, name: str) -> Progress:
        """Return the progress of a webhook."""
        return self._progresses.get(name)

    def resume(self, name: str) -> None:
        """Go on at once with a webhook that failed or was paused."""
        self._progresses.change(name, lambda progress: progress.restarted(lost=0.0))

    def send_again(self, name: str, *, since: str = "", id: str = "") -> None:
        """Send the events again from a time on, or from the event with an id on. Raises Refused."""
        moment = datetime.fromisoformat(since) if since else None

        def is_first(event: Event) -> bool:
            return bool(event["id"] == id or (moment and datetime.fromisoformat(event["time"]) >= moment))

        try:
            cursor = self._source.cursor_before(is_first)
        except Expired:
            raise Refused("The event feed is damaged. flask store check names the file.") from None
        if cursor is None:
            raise Refused("The feed has no such event. It may have been removed, or none has come since then.")
        self._progresses.change(name, lambda progress: progress.restarted(cursor=cursor, lost=0.0))

    def forget(self, name: str) -> None:
        """Forget the progress of a webhook that was removed."""
        self._progresses.remove(name)

    def test(self, webhook: Webhook) -> Attempt:
        """Post an event of the type webhook.test at once, beside the others."""
        options, event = self._config.current.webhook_delivery, _test_event()
        if not webhook.keys:
            return Attempt(event["id"], TEST_TYPE, time.time(), problem="it has no secret: create a new one")
        endpoint = Endpoint(webhook.url, options.networks, options.timeout)
        try:
            return send(endpoint, event, webhook, time.time())[0]
        finally:
            endpoint.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._surviving("webhooks"), suppress(Busy):
                if self._config.cached.webhooks and self.is_on:
                    with self._exclusive("webhooks") as is_held:
                        self._serve(is_held)
            self._stopping.wait(TRY_AGAIN)

    def _serve(self, is_held: Callable[[], bool]) -> None:
        """Keep a thread for each webhook in the configuration."""
        ending, threads = Signal(), dict[str, Thread]()
        try:
            while is_held() and not self._stopping.is_set() and (webhooks := self._config.cached.webhooks):
                for name in (webhook.name for webhook in webhooks):
                    if name not in threads or not threads[name].is_alive():
                        threads[name] = Thread(
                            target=self._deliver, args=(name, ending), name=f"webhook {name}", daemon=True
                        )
                        threads[name].start()
                self._stopping.wait(POLL)
        finally:
            ending.set()
            for thread in threads.values():
                thread.join()

    def _deliver(self, name: str, ending: Signal) -> None:
        """Deliver to one webhook until it is removed."""
        delivery, what = Delivery(name, self._source, self._progresses), f'webhook "{name}"'
        while not ending.is_set() and (webhook := self._config.cached.webhook(name)):
            pause = AFTER_ERROR
            with self._surviving(what):
                pause = delivery.step(webhook, self._config.cached.webhook_delivery)
            if pause:
                ending.wait(pause)
        with self._surviving(what):
            delivery.close()

    @contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        """Log an error once, and let the thread continue: the cause may be gone later."""
        try:
            yield
            self._problems.pop(what, None)
        except (StoreError, OSError) as error:
            if self._problems.get(what) != str(error):
                log.error("%s: events cannot be delivered at the moment: %s", what, error)
            self._problems[what] = str(error)
        except Exception:
            log.exception("%s: events cannot be delivered at the moment", what)


def _test_event() -> Event:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": f"test-{uuid4().hex}", "time": now, "type": TEST_TYPE, "resource": None, "data": None, "changes": {}}
