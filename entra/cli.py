"""The commands of `python -m entra`."""

import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from entra import changes, console, demo, discover, ondemand, options, replay, schema, sync, tenant
from entra.cycle import CycleStoppedError
from entra.job import Job
from entra.mapping import MappingError
from entra.oauth import TokenRequestError
from entra.ondemand import MemberError
from entra.provisioning_log import Entry, ProvisioningLog
from entra.responses import ExportError
from entra.state import StateError
from entra.tenant import TenantError
from entra.validate import command as validate
from entra.workload_identity import IdentityError, WorkloadIdentity

EXPECTED = (
    CycleStoppedError,
    ExportError,
    IdentityError,
    MappingError,
    MemberError,
    StateError,
    TenantError,
    TokenRequestError,
)


class Commands(click.Group):
    """Commands that report an expected error in one line and exit with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has closed the pipe, as `head` does; click exits silently
            raise
        except OSError as error:
            sys.stdout = io.StringIO()  # or Python would report the failure a second time when it exits
            raise click.ClickException(f"{error.filename or 'output'}: {error.strerror}") from None
        except EXPECTED as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Provision users and groups into a SCIM 2.0 endpoint as Microsoft Entra ID would."""


main.add_command(sync.command)
main.add_command(validate.command)


@main.command("demo")
@click.option("--users", type=click.IntRange(1), default=100, show_default=True, help="The number of users.")
@click.option("--groups", type=click.IntRange(0), default=10, show_default=True, help="The number of groups.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same tenant.")
@click.option("--domain", default="contoso.example", show_default=True, help="The domain of the user names.")
def demo_command(users: int, groups: int, seed: int, domain: str) -> None:
    """Write a demo tenant to standard output."""
    click.echo(_to_text(demo.generate(users, groups, seed, domain)))


@main.command()
@click.argument("tenant_file", metavar="TENANT", type=options.INPUT)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same changes.")
@click.option("--scale", type=click.IntRange(1), default=1, show_default=True, help="Make each change this often.")
@click.option("-o", "--output", type=options.OUTPUT, help="Write the tenant here.  [default: in place]")
def day(tenant_file: Path, seed: int, scale: int, output: Path | None) -> None:
    """Change a tenant file as a day of work does.

    It has joiners, leavers, renames, new managers, group changes, restores and purges.
    """
    changed, descriptions = changes.day(tenant.load(tenant_file), seed, scale)
    (output or tenant_file).write_text(_to_text(changed) + "\n", encoding="utf-8")
    for description in descriptions:
        click.echo(description)


@main.command()
@options.job
@click.argument("names", metavar="USER-OR-GROUP...", nargs=-1, required=True)
@click.option("--member", "members", multiple=True, help="Provision only this member of the group; at most five.")
@options.mapping_file
@options.http
def provision(tenant_file: Path, names: tuple[str, ...], members: tuple[str, ...], **settings: Any) -> None:
    """Provision on demand, and show each request and response.

    The requests are always in dialect L.
    """
    if len(members) > ondemand.MAX_MEMBERS:
        raise click.UsageError(f"Provision on demand takes at most {ondemand.MAX_MEMBERS} members of a group.")
    terminal = Console(soft_wrap=True)
    log = ProvisioningLog(listener=lambda entry: _show(terminal, entry))
    cycle = Job(tenant_file, settings).make_cycle(log)
    found = [_find(cycle.tenant, name) for name in names]
    chosen = [_find(cycle.tenant, name) for name in members] or None
    groups = [item for item in found if item.kind == "Group"]
    if chosen and not groups:
        raise click.UsageError("--member needs a group: name one to provision.")
    for group in groups:
        ondemand.check_members(group, chosen or [])
    for item in found:
        ondemand.provision(cycle, item, chosen)
    sys.exit(1 if log.failures else 0)


@main.command("discover")
@click.argument("url")
@options.token
@click.option("--tenant", "tenant_file", type=options.INPUT, help="Compare the accounts with this tenant file.")
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, help="Accounts per page.")
@click.option("--json", "json_file", type=options.OUTPUT, help="Write every account to this file.")
@options.mapping_file
@options.http
def discover_command(url: str, tenant_file: Path | None, count: int, json_file: Path | None, **settings: Any) -> None:
    """Page through every user of an endpoint.

    A user is assigned to the application, unassigned, or local: not in the tenant.
    """
    mappings = options.make_mappings(settings)
    directory = tenant.load(tenant_file, mappings.source_names) if tenant_file else None
    found = discover.discover(options.make_endpoint(url, settings), mappings, directory, count)
    for name in ("local", "unassigned", "assigned"):
        click.echo(f"{name:<11} {len(getattr(found, name)):>7,}")
    for remark in found.remarks:
        click.echo(f"remark: {remark}")
    if json_file:
        json_file.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")


@main.command("replay")
@click.argument("log_file", metavar="LOG", type=options.INPUT)
@click.option("--url", required=True, help="The tenant URL to send the requests to.")
@options.token
@options.http
def replay_command(log_file: Path, url: str, **settings: Any) -> None:
    """Send a recorded log again, and compare the responses.

    The log is JSON Lines or HAR.
    """
    endpoint = options.make_endpoint(url, settings)
    try:
        log = replay.read(log_file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{log_file}: {error}") from None
    different = 0
    for number, comparison in enumerate(replay.replay(endpoint, log), start=1):
        if comparison.differences:
            different += 1
            lines = [f"{number}: {comparison.exchange.method} {comparison.exchange.url}", *comparison.differences]
            click.echo("\n    ".join(lines))
    click.echo(f"{len(log)} requests replayed, {different} responses differ")
    sys.exit(1 if different else 0)


@main.command("schema")
@click.argument("schema_file", metavar="SCHEMA", type=options.INPUT)
@click.option("-o", "--output", type=options.OUTPUT, help="Write the schema here.  [default: standard output]")
def schema_command(schema_file: Path, output: Path | None) -> None:
    """Add IDmelon's attributes to a schema exported from Entra.

    The result can be uploaded to Entra.
    """
    try:
        text, changed = schema.augment_text(schema_file.read_bytes())
    except schema.NoSchemaError as error:
        raise click.ClickException(f"{schema_file} is not a schema exported from Entra: {error}") from None
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    for change in changed or ["no changes: the schema already has everything"]:
        click.echo(change, err=True)


@main.command("identity")
@click.argument("identity_file", metavar="FILE", type=options.OUTPUT)
@click.option("--port", type=click.IntRange(1, 65535), default=8399, show_default=True, help="Serve the keys here.")
def identity_command(identity_file: Path, port: int) -> None:
    """Create a workload identity, and show its four values.

    The endpoint needs them to accept --federation FILE. The keys are served on this machine while a command uses the
    file. An existing file is kept.
    """
    if not identity_file.exists():
        WorkloadIdentity.create(port).save(identity_file)
    identity = WorkloadIdentity.load(identity_file)
    click.echo(f"Issuer:    {identity.issuer}")
    click.echo(f"JWKS URL:  {identity.jwks_url}")
    click.echo(f"Subject:   {identity.subject}")
    click.echo(f"Audience:  {identity.audience}  (Entra's portal adds /.default, which its assertions do not have)")


def _find(directory: tenant.Tenant, name: str) -> tenant.DirectoryObject:
    found = directory.find(name)
    if found is None:
        raise click.ClickException(f"the tenant has no user or group {name!r}")
    return found


def _show(terminal: Console, entry: Entry) -> None:
    terminal.rule(escape(f"{entry.kind} {entry.name}"))
    for step in entry.steps:
        terminal.print(f"{step['name'].removeprefix('Entry')}: {step['description']} ({step['status']})", markup=False)
    for exchange in entry.exchanges:
        console.print_exchange(terminal, exchange)
    terminal.print(console.format_entry(entry))


def _to_text(directory: tenant.Tenant) -> str:
    return json.dumps(tenant.to_json(directory), indent=1, ensure_ascii=False)
