"""The commands of `python -m entra`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from entra import changes, console, discover, ondemand, options, people, replay, schema, sync, tenant
from entra.answers import ExportError
from entra.cycle import Cycle, CycleStoppedError
from entra.mapping import MappingError
from entra.plan import Policy
from entra.validate import command as validate
from entra.worklog import Entry, Journal

EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)


class Commands(click.Group):
    """Commands that say in one line which file could not be read or written, and end with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # who reads has seen enough, as `head` has: click ends without a word
            raise
        except OSError as error:
            sys.stdout = io.StringIO()  # else Python tries again at its end, and says once more that it failed
            raise click.ClickException(f"{error.filename or 'output'}: {error.strerror}") from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Provision users and groups into a SCIM 2.0 endpoint as Microsoft Entra ID would."""


@main.command()
@click.option("--users", type=click.IntRange(1), default=100, show_default=True)
@click.option("--groups", type=click.IntRange(0), default=10, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same tenant.")
@click.option("--domain", default="contoso.example", show_default=True)
def demo(users: int, groups: int, seed: int, domain: str) -> None:
    """Write a tenant file with plausible people to standard output."""
    click.echo(_text(people.demo(users, groups, seed, domain)))


@main.command()
@click.argument("tenant_file", metavar="TENANT", type=EXISTING)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--scale", type=click.IntRange(1), default=1, show_default=True, help="How many of each change.")
@click.option("-o", "--output", type=options.OUTPUT, help="Where to write the tenant  [default: in place]")
def day(tenant_file: Path, seed: int, scale: int, output: Path | None) -> None:
    """Let a day pass in a tenant file: joiners, leavers, renames, new managers, groups, restores, purges."""
    changed, happened = changes.day(options.load_tenant(tenant_file), seed, scale)
    (output or tenant_file).write_text(_text(changed) + "\n", encoding="utf-8")
    for what in happened:
        click.echo(what)


main.add_command(sync.command)
main.add_command(validate.command)


@main.command()
@click.argument("tenant_file", metavar="TENANT", type=EXISTING)
@click.argument("names", metavar="USER-OR-GROUP...", nargs=-1, required=True)
@click.option("--url", required=True, help="The tenant URL.")
@options.token
@click.option("--state", "state_file", type=options.STATE, help="The state file of `sync`.")
@click.option("--member", "members", multiple=True, help="A member to provision into a group; five at most.")
@options.scope
@options.mapping_file
@options.roles
@options.wire
@options.dialect
def provision(tenant_file: Path, names: tuple[str, ...], **settings: Any) -> None:
    """Provision objects on demand, showing every request and answer; always in the legacy dialect."""
    terminal = Console(soft_wrap=True)
    directory = options.load_tenant(tenant_file)
    found = [_find(directory, name) for name in names]
    members = [_find(directory, name) for name in settings["members"]] or None
    if members and len(members) > ondemand.MOST_MEMBERS:
        raise click.UsageError(f"Provision on demand takes {ondemand.MOST_MEMBERS} members of a group at most.")
    cycle = _make_cycle(directory, settings)
    cycle.journal.listener = lambda entry: _show(terminal, entry)
    try:
        for item in found:
            ondemand.provision(cycle, item, members)
    except CycleStoppedError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(1 if cycle.journal.failures else 0)


@main.command("discover")
@click.argument("url")
@options.token
@click.option("--tenant", "tenant_file", type=EXISTING, help="The tenant file to sort the accounts against.")
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, help="Accounts per page.")
@click.option("--json", "json_file", type=options.OUTPUT, help="Write every account to this file.")
@options.mapping_file
@options.wire
def discover_command(url: str, tenant_file: Path | None, **settings: Any) -> None:
    """Page through every user of an endpoint and sort them into local, unassigned and assigned."""
    directory = options.load_tenant(tenant_file) if tenant_file else None
    endpoint = options.make_endpoint(url, settings["token"], settings)
    mappings = options.make_mappings(settings["mapping"])
    try:
        found = discover.discover(endpoint, mappings, directory, settings["count"])
    except (ExportError, MappingError) as error:
        raise click.ClickException(str(error)) from None
    for name in ("local", "unassigned", "assigned"):
        click.echo(f"{name:<11} {len(getattr(found, name)):>7,}")
    for remark in found.remarks:
        click.echo(f"remark: {remark}")
    if settings["json_file"]:
        settings["json_file"].write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")


@main.command("replay")
@click.argument("log_file", metavar="LOG", type=EXISTING)
@click.option("--url", required=True, help="The tenant URL to send the log to.")
@options.token
@options.wire
def replay_command(log_file: Path, url: str, token: str, **settings: Any) -> None:
    """Send a captured log (JSON lines or HAR) again and compare the answers."""
    endpoint = options.make_endpoint(url, token, settings)
    try:
        log = replay.read(log_file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{log_file}: {error}") from None
    different = 0
    for number, comparison in enumerate(replay.replay(endpoint, log), start=1):
        if comparison.differences:
            different += 1
            click.echo(f"{number}: {comparison.exchange.method} {comparison.exchange.url}")
            for difference in comparison.differences:
                click.echo(f"    {difference}")
    click.echo(f"{len(log)} requests sent again, {different} answered differently")
    sys.exit(1 if different else 0)


@main.command("schema")
@click.argument("schema_file", metavar="SCHEMA", type=EXISTING)
@click.option("-o", "--output", type=options.OUTPUT, help="Where to write the schema  [default: standard output]")
def schema_command(schema_file: Path, output: Path | None) -> None:
    """Add IDmelon's attributes and mappings to a schema exported from Entra, ready to upload again."""
    try:
        text, changed = schema.augment_text(schema_file.read_bytes())
    except schema.NoSchemaError as error:
        raise click.ClickException(f"{schema_file} is no schema exported from Entra: {error}") from None
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    for change in changed or ["nothing to add: everything is there already"]:
        click.echo(change, err=True)


def _make_cycle(directory: tenant.Tenant, settings: dict[str, Any]) -> Cycle:
    """Put a cycle together from a command's options."""
    endpoint = options.make_endpoint(settings["url"], settings["token"], settings)
    return Cycle(
        directory,
        options.job_mappings(settings),
        endpoint,
        options.load_state(settings, endpoint),
        options.make_dialect(settings, endpoint.flagged),
        Policy(scope=settings["scope"]),
        Journal(),
    )


def _find(directory: tenant.Tenant, name: str) -> tenant.Object:
    found = directory.find(name)
    if found is None:
        raise click.ClickException(f"nobody and no group in the tenant is called {name!r}")
    return found


def _show(terminal: Console, entry: Entry) -> None:
    terminal.rule(escape(f"{entry.kind} {entry.name}"))
    for step in entry.steps:
        terminal.print(f"{step['name'].removeprefix('Entry')}: {step['description']} ({step['status']})", markup=False)
    for exchange in entry.exchanges:
        console.exchange(terminal, exchange)
    terminal.print(console.line(entry))


def _text(directory: tenant.Tenant) -> str:
    return json.dumps(tenant.to_json(directory), indent=1, ensure_ascii=False)
