"""Clients that create users without a pause, and remember what was acknowledged."""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from threading import Event, Thread

import httpx

from tests.support.running_service import Running

CLIENTS = 4


class Load(AbstractContextManager):
    """Creates users on several hosts while the context lasts."""

    def __init__(self, hosts: Sequence[Running], token: str, first: int = 0) -> None:
        self.created: dict[str, str] = {}  # the names and ids of acknowledged users
        self.statuses: Counter[int] = Counter()
        self._hosts, self._token = hosts, token
        self._numbers = itertools.count(first)
        self._end = Event()
        self._threads = [Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for_answers(self, count: int = 20, seconds: float = 60) -> float:
        """Wait until so many more users were created; return how many seconds that took."""
        began, wanted = time.monotonic(), len(self.created) + count
        while len(self.created) < wanted:
            assert time.monotonic() - began < seconds, self.statuses
            time.sleep(0.01)
        return time.monotonic() - began

    def _run(self, number: int) -> None:
        host = self._hosts[number % len(self._hosts)]
        headers = {"Authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=host.scim, headers=headers, timeout=60) as client:
            while not self._end.is_set():
                name = f"load{next(self._numbers)}"
                answer = client.post("/Users", json={"userName": name})
                self.statuses[answer.status_code] += 1
                if answer.status_code == 201:
                    self.created[name] = answer.json()["id"]
                else:
                    time.sleep(0.05)
