"""[[webhooks]] and [webhook_delivery] in the configuration: what is wrong is refused, and named."""

import pytest

import config
from config.tokens import new_signing_secret

SECRET, _ = new_signing_secret()
WEBHOOK = '[[webhooks]]\nname = "crm"\nurl = "https://crm.example/"\ntypes = []\npaused = false\n'
KEY = f'[[webhooks.secrets]]\nsecret = "{SECRET}"\nexpires = "never"\n'


def test_a_webhook_has_secrets_that_sign_until_they_expire(read):
    ended = KEY.replace('"never"', "2020-01-01T00:00:00Z")
    (webhook,) = read(WEBHOOK + ended + KEY).webhooks
    assert (webhook.name, webhook.url, webhook.types, webhook.paused) == ("crm", "https://crm.example/", (), False)
    assert webhook.keys == [SECRET]
    assert SECRET not in repr(webhook)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/a?b=c", "http://localhost/", "http://[::1]:1/", "https://a.b:1/"]
)
def test_urls_with_tls_or_of_this_machine_are_accepted(read, url):
    assert read(WEBHOOK.replace("https://crm.example/", url)).webhooks[0].url == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *(
            (WEBHOOK.replace(line, ""), f"[[webhooks]] number 1 {line.split()[0]} is missing")
            for line in WEBHOOK.splitlines(keepends=True)[1:]
        ),
        (WEBHOOK.replace("[]", '["created"]'), '[[webhooks]] number 1 types must be a list like ["user.created"]'),
        (WEBHOOK.replace("https:", "http:"), "[[webhooks]] number 1 url must be an https URL"),
        (WEBHOOK + WEBHOOK, "[[webhooks]] has two of the same name"),
        ("".join(WEBHOOK.replace("crm", f"crm{n}") for n in range(21)), "[[webhooks]] has more than 20 tables"),
        (WEBHOOK + KEY.replace('expires = "never"\n', ""), "secrets number 1 expires is missing"),
        (WEBHOOK + KEY.replace("whsec_", ""), "secrets number 1 secret must be what `flask webhook rotate` writes"),
        (WEBHOOK + KEY.replace(SECRET, "whsec_aHVzaA=="), "secrets number 1 secret must be what"),
        (WEBHOOK + KEY.replace(SECRET, "whsec_???"), "secrets number 1 secret must be what"),
        ("[webhook_delivery]\ntimeout = 0\n", "[webhook_delivery] timeout must be from 1 to 60, not 0"),
        ("[webhook_delivery]\nretries = [-1]\n", "retries must be at most 20 numbers of seconds, from 0 to 86400"),
        ("[webhook_delivery]\nretries = [true]\n", "retries must be at most 20 numbers"),
        (f"[webhook_delivery]\nretries = {[1] * 21}\n", "retries must be at most 20 numbers"),
        ('[webhook_delivery]\nnetworks = ["10.0.0.0/33"]\n', "networks must be a list of networks"),
    ],
)
def test_what_is_wrong_is_named_and_secrets_are_not_shown(read, text, problem):
    with pytest.raises(config.ConfigError) as refused:
        read(text)
    assert problem in str(refused.value)
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "aHVzaA", "???"):
        assert secret not in str(refused.value)
