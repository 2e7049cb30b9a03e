"""The command line options that several commands share, and what they make."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from entra import graph, mapping, state, tenant
from entra.client import FAULTS, Endpoint, Wire, split_url
from entra.dialect import Dialect
from entra.mapping import MappingSet
from entra.oauth import ClientCredentials, SignInError, is_sendable
from entra.state import State
from entra.tenant import Tenant

Command = TypeVar("Command", bound=Callable[..., Any])
Settings = dict[str, Any]


def _together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class FaultType(click.ParamType[tuple[str, float]]):
    """`429:0.05`: a fault and how often it strikes."""

    name = "fault:share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """Read one fault; a usage error names what is allowed."""
        name, _, share = str(value).partition(":")
        try:
            found = name, float(share or 0.05)
        except ValueError:
            self.fail(f"{value!r}: the share is a number between 0 and 1, as in 429:0.05", param, ctx)
        if name not in FAULTS or not 0 <= found[1] <= 1:
            self.fail(f"{value!r} is none of {', '.join(FAULTS)} with a share between 0 and 1", param, ctx)
        return found


class OutputFile(click.Path[Path]):
    """A file to write, in a folder that is there: what is found out at the end comes too late."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Take a path; a usage error names the folder that is not there."""
        found = super().convert(value, param, ctx)
        if not value:
            self.fail("a file needs a name", param, ctx)
        if not found.parent.is_dir():
            self.fail(f"there is no folder {str(found.parent)!r}", param, ctx)
        return found


class StateFile(OutputFile):
    """A file to replace again and again, in a folder where that can be done."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Take a path; a usage error names the folder in which no file can be made."""
        found = super().convert(value, param, ctx)
        folder = Path(os.path.realpath(found)).parent  # of the file that a link leads to, if it is one
        try:
            with tempfile.NamedTemporaryFile(dir=folder):
                return found
        except OSError as error:
            self.fail(f"no file can be made in {str(folder)!r}: {error.strerror}", param, ctx)


OUTPUT = OutputFile()
STATE = StateFile()


def _pasted(_: click.Context, __: click.Parameter, text: str) -> str:
    found = text.strip()  # a file from Windows, or a careless paste, ends it with white space
    if not is_sendable(found):
        raise click.BadParameter("it has characters that no header can have")
    return found


token = _together(
    click.option(
        "--token",
        envvar="SCIM_TOKEN",
        show_envvar=True,
        default="",
        callback=_pasted,
        help="Secret token, pasted as into Entra.",
    ),
    click.option("--oauth", metavar="URL", help="Get tokens from this endpoint instead (client credentials)."),
    click.option("--client-id", default="", help="For --oauth."),
    click.option("--client-secret", envvar="SCIM_CLIENT_SECRET", show_envvar=True, default="", help="For --oauth."),
)
mapping_file = click.option(
    "--mapping",
    default="idmelon",
    show_default=True,
    metavar="idmelon|entra|FILE",
    help="Entra's default mappings with IDmelon's attributes, without them, or those of an exported schema.",
)
roles = click.option(
    "--roles",
    type=click.Choice(list(mapping.ROLE_STYLES)),
    help="Map app roles too (with scope assigned only).",
)
scope = click.option(
    "--scope",
    type=click.Choice(["assigned", "all"]),
    default="assigned",
    show_default=True,
    help="Scope.",
)

wire = _together(
    click.option("--rate", type=click.FloatRange(0), default=25, show_default=True, help="Requests/s; 0: no ceiling."),
    click.option("--timeout", type=click.FloatRange(0.1), default=30, show_default=True, help="Seconds."),
    click.option(
        "--encode-spaces",
        type=click.Choice(["+", "%20"]),
        default="+",
        show_default=True,
        help="In filters.",
    ),
    click.option("--trailing-slash", is_flag=True, help="/Users/?filter=... instead of /Users?filter=..."),
    click.option("--no-charset", is_flag=True, help="Leave charset=utf-8 out of Content-Type."),
    click.option("--no-user-agent", is_flag=True, help="Send no User-Agent."),
    click.option("--flag-on-wire", is_flag=True, help="Leave the flag in the URL of each request."),
    click.option(
        "--fault",
        "faults",
        type=FaultType(),
        multiple=True,
        metavar="FAULT:SHARE",
        help="Inject 429, 500, 503 or timeout, say 429:0.05.",
    ),
    click.option("--retry-after", is_flag=True, help="Honour Retry-After at once."),
)

dialect = _together(
    click.option("--flag", is_flag=True, help="The dialect of aadOptscim062020 (or append it to the URL)."),
    click.option(
        "--booleans",
        type=click.Choice(["auto", "string", "native"]),
        default="auto",
        show_default=True,
        help="auto: strings in the patches of the legacy dialect alone.",
    ),
    click.option(
        "--manager-style",
        type=click.Choice(["string", "array", "object"]),
        default="string",
        show_default=True,
        help="How a manager is written.",
    ),
    click.option("--member-batch", type=click.IntRange(1), default=1, show_default=True, help="Members per PATCH."),
    click.option("--nulls", is_flag=True, help="Write null for what has no value in a create."),
    click.option("--clear-values", is_flag=True, help="Unset what became empty (Entra mostly does not)."),
)


def make_endpoint(url: str, token: str, settings: Settings) -> Endpoint:
    """Make the endpoint of a command's options; a usage error names a bad URL."""
    try:
        split_url(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    oauth = settings["oauth"]
    if not (token or oauth):
        raise click.UsageError("A token is needed: --token TOKEN, or SCIM_TOKEN in the environment.")
    credentials = ClientCredentials(oauth, settings["client_id"], settings["client_secret"]) if oauth else None
    endpoint = Endpoint(url, token, make_wire(settings), credentials=credentials)
    try:
        endpoint.sign_in()
    except SignInError as error:
        raise click.ClickException(str(error)) from None
    return endpoint


def make_wire(settings: Settings) -> Wire:
    """Make the wire switches of a command's options."""
    return Wire(
        spaces=settings["encode_spaces"],
        trailing_slash=settings["trailing_slash"],
        charset=not settings["no_charset"],
        user_agent=not settings["no_user_agent"],
        flag_on_wire=settings["flag_on_wire"],
        rate=settings["rate"],
        timeout=settings["timeout"],
        faults=dict(settings["faults"]),
        honour_retry_after=settings["retry_after"],
    )


def make_dialect(settings: Settings, flagged: bool) -> Dialect:
    """Make the dialect of a command's options; the flag may come with the URL."""
    return Dialect(
        flag=settings["flag"] or flagged,
        booleans=settings["booleans"],
        manager=settings["manager_style"],
        member_batch=settings["member_batch"],
        nulls_in_create=settings["nulls"],
        clear_values=settings["clear_values"],
    )


def make_mappings(name: str, role_style: str | None = None) -> MappingSet:
    """Make the mapping set that `--mapping` names; what is left out of a file is said on standard error."""
    mappings = {"idmelon": mapping.idmelon_defaults, "entra": mapping.entra_defaults}.get(name, lambda: _file(name))()
    for left_out in mappings.left_out:
        click.echo(f"left out of the mapping: {left_out}", err=True)
    return mapping.with_roles(mappings, role_style) if role_style else mappings


def job_mappings(settings: Settings) -> MappingSet:
    """Make the mapping set of a job's options."""
    if settings["roles"] and settings["scope"] == "all":
        raise click.UsageError("Role expressions do not go with --scope all: Entra refuses them.")
    return make_mappings(settings["mapping"], settings["roles"])


def load_tenant(path: Path) -> Tenant:
    """Read a tenant file; what is wrong with it ends the command."""
    try:
        return tenant.load(path)
    except tenant.TenantError as error:
        raise click.ClickException(str(error)) from None


def load_state(settings: Settings, endpoint: Endpoint) -> State:
    """Read the state file that the options name; one that cannot be used ends the command."""
    try:
        return state.load(settings["state_file"], endpoint.base)
    except state.StateError as error:
        raise click.ClickException(str(error)) from None


def _file(name: str) -> MappingSet:
    try:
        return graph.mappings(graph.load(Path(name).read_bytes()))
    except OSError as error:
        raise click.BadParameter(f"{name}: {error.strerror}", param_hint="--mapping") from None
    except graph.NoSchemaError as error:
        raise click.BadParameter(f"{name}: {error}", param_hint="--mapping") from None
