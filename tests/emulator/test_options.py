"""Command-line options become the settings of requests, dialect and job."""

import click
import pytest
from click.testing import CliRunner

from entra import options, sync
from entra.client import HttpOptions
from entra.dialect import Dialect
from entra.job import Job
from entra.plan import Policy
from entra.provisioning_log import ProvisioningLog
from tests.support.emulator_endpoint import TOKEN


def settings_of(decorator, *arguments):
    found = {}
    command = click.command()(decorator(lambda **settings: found.update(settings)))
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return found


def test_http_options_have_entras_defaults():
    assert options.build(HttpOptions, settings_of(options.http)) == HttpOptions()


def test_every_http_option_is_used():
    flags = "--trailing-slash --no-charset --no-user-agent --flag-on-wire --retry-after"
    values = "--rate 3 --timeout 4 --encode-spaces %20 --fault 429:0.5 --fault timeout"
    settings = settings_of(options.http, *flags.split(), *values.split())
    assert options.build(HttpOptions, settings) == HttpOptions(
        spaces="%20",
        trailing_slash=True,
        charset=False,
        user_agent=False,
        flag_on_wire=True,
        rate=3,
        timeout=4,
        faults={"429": 0.5, "timeout": 0.05},
        honour_retry_after=True,
    )


@pytest.fixture
def make_cycle(tenant):
    """Parse the options of `sync` and build the cycle that they describe."""

    def make(*arguments):
        all_arguments = [str(tenant), "--url", "http://x/scim", "--token", TOKEN, *arguments]
        settings = sync.command.make_context("sync", all_arguments).params
        return Job(settings.pop("tenant_file"), settings).make_cycle(ProvisioningLog())

    return make


def test_a_cycle_has_entras_defaults(make_cycle):
    cycle = make_cycle()
    assert (cycle.dialect, cycle.policy, cycle.concurrency) == (Dialect(), Policy(), 5)


def test_every_option_of_a_cycle_is_used(make_cycle):
    dialect = "--flag --booleans native --manager-style array --member-batch 7 --nulls --clear-values"
    policy = "--scope all --interval 2 --retry --skip-out-of-scope --deletion-threshold 9 --allow-deletes"
    cycle = make_cycle(*dialect.split(), *policy.split(), "--concurrency", "3")
    assert cycle.dialect == Dialect(True, "native", "array", 7, True, True)
    assert cycle.policy == Policy("all", True, 9, True, 120, True)
    assert cycle.concurrency == 3
