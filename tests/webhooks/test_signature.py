"""Events are signed as Standard Webhooks say; the judge is the specification's own library."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from config.credentials import WebhookSecret
from config.tokens import new_signing_secret
from webhooks.message import MAX_BODY

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sent(rig):
    """Send an event with secrets, and return the request."""

    def sent(*secrets, event=None):
        rig.now = time.time()
        rig.set(secrets=tuple(secrets))
        rig.source.add()
        rig.source.events[-1] |= event or {}
        rig.run()
        return rig.receiver.requests[-1]

    return sent


def test_the_documented_application_accepts_an_event_once(rig, sent, capsys):
    request = sent(WebhookSecret(rig.secret), event={"resource": {"id": "ada"}})
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), flags=re.DOTALL)
    scope = {"__name__": "__main__"}
    exec(example.replace("whsec_…", rig.secret), scope)
    client = scope["app"].test_client()
    statuses = [
        client.post("/hooks/tinyscim", data=body, headers=request.headers).status_code
        for body in (request.body, request.body, b"{}")
    ]
    assert statuses == [204, 204, 401]
    assert capsys.readouterr().out == "user.created {'id': 'ada'}\n"


def is_signed(request, secret):
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


def test_the_specifications_library_accepts_the_signature(rig, sent):
    request = sent(WebhookSecret(rig.secret))
    event = Webhook(rig.secret).verify(request.body, request.headers)
    assert event == rig.source.events[-1]
    assert request.headers["webhook-id"] == event["id"]
    assert request.headers["content-type"] == "application/json"


def test_the_signature_covers_id_time_and_body(rig, sent):
    request = sent(WebhookSecret(rig.secret))
    later = str(int(request.headers["webhook-timestamp"]) + 1)
    for change in ({"webhook-id": "event-0"}, {"webhook-timestamp": later}):
        assert not is_signed(request._replace(headers={**request.headers, **change}), rig.secret)
    assert not is_signed(request._replace(body=request.body.replace(b"created", b"deleted")), rig.secret)
    assert not is_signed(request, new_signing_secret()[0])


def test_during_a_rotation_the_event_is_signed_with_each_secret(sent):
    old, new, ended = (new_signing_secret()[0] for _ in range(3))
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    request = sent(WebhookSecret(ended, expires=now - hour), WebhookSecret(old, expires=now + hour), WebhookSecret(new))
    assert [is_signed(request, one) for one in (new, old, ended)] == [True, True, False]
    assert len(request.headers["webhook-signature"].split(" ")) == 2


def test_a_webhook_whose_secrets_have_all_expired_sends_nothing(rig):
    rig.set(secrets=(replace(WebhookSecret(rig.secret), expires=datetime(2026, 1, 1, tzinfo=UTC)),))
    rig.source.add()
    rig.run()
    assert rig.receiver.requests == []


def test_text_of_any_language_is_signed(rig, sent):
    request = sent(WebhookSecret(rig.secret), event={"data": {"displayName": "Zoë 🙂 \u2028 \x7f"}})
    assert is_signed(request, rig.secret)


def test_a_group_that_is_too_large_is_sent_without_its_data(rig, sent):
    members = [{"value": f"member-{number}"} for number in range(100_000)]
    request = sent(WebhookSecret(rig.secret), event={"data": {"members": members}})
    assert len(request.body) < MAX_BODY
    assert is_signed(request, rig.secret)
    event = json.loads(request.body)
    assert event == {"id": "event-1", "cursor": "1", "type": "user.created", "truncated": True}
