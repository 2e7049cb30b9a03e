"""Two hosts of one PostgreSQL database: one of them sends, and the other continues when it is gone."""

import os
import signal
import time
from pathlib import Path

import pytest

from config import read
from config.tokens import new_signing_secret
from tests.support import postgres
from tests.support.running_service import running
from tests.support.serving import workers
from tests.support.webhook_receiver import receiving

pytestmark = pytest.mark.long


def names(receiver):
    """The users that were created, in the order in which their events first came."""
    return list(dict.fromkeys(one["data"]["userName"] for one in receiver.events))


def kill(folder):
    """Kill a host's processes, and first the one that would start others."""
    found = workers(folder)
    parent = int(Path(f"/proc/{found[0]}/stat").read_text().rpartition(")")[2].split()[1])
    for process in (parent, *found):
        os.kill(process, signal.SIGKILL)


def test_when_the_host_that_sends_is_gone_the_other_one_continues(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    secret = new_signing_secret()[1]
    with (
        receiving() as receiver,
        postgres.running(**postgres.NEVER_SYNC) as server,
        postgres.database(server.url()) as url,
    ):
        crm = {"name": "crm", "url": receiver.url, "types": ["user.created"], "paused": False, "secrets": [secret]}
        tables = {"store": {"url": url}, "events": {"enabled": True}}
        with running(one, webhooks=[crm], **tables) as first:
            created = []

            def create(host):
                """Create a user; it is the first host's token that both know."""
                created.append(f"user-{len(created)}@example.com")
                answer = host.send("POST", "/Users", {"userName": created[-1]}, first.token)
                assert answer.status_code == 201, answer.text
                receiver.wait_for(lambda: names(receiver)[-1:] == created[-1:])

            time.sleep(3)  # the webhook gets the events that come after its first look
            create(first)
            with running(other, **tables) as second:
                assert [webhook.name for webhook in read(other / "config.toml").webhooks] == ["crm"]
                create(second)
                kill(one)
                for _ in range(3):
                    create(second)
    assert names(receiver) == created
