"""Command-line options that several commands share, and the objects built from them."""

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click

from entra import graph, mapping
from entra.client import FAULTS, Endpoint, HttpOptions, split_url
from entra.mapping import MappingSet
from entra.oauth import Credentials, is_valid_token
from entra.workload_identity import WorkloadIdentity

Command = TypeVar("Command", bound=Callable[..., Any])
Built = TypeVar("Built")
Settings = dict[str, Any]
Context: TypeAlias = click.Context | None
Parameter: TypeAlias = click.Parameter | None


def _parse_faults(_: click.Context, __: click.Parameter, values: Iterable[str]) -> dict[str, float]:
    """Parse faults and their shares of the requests, for example `429:0.05`."""
    faults = {}
    for value in values:
        name, share = value.split(":", 1) if ":" in value else (value, "")
        try:
            faults[name] = float(share or 0.05)
        except ValueError:
            faults[name] = -1
        if name not in FAULTS or not 0 <= faults[name] <= 1:
            choices = ", ".join(FAULTS)
            raise click.BadParameter(f"{value!r}: choose one of {choices} and a share between 0 and 1, as in 429:0.05")
    return faults


class OutputFile(click.Path[Path]):
    """A file to write; its folder is checked before anything is sent."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: Parameter, ctx: Context) -> Path:
        """Check that the file's folder exists."""
        found = super().convert(value, param, ctx)
        if not value:
            self.fail("the file name is empty", param, ctx)
        if not found.parent.is_dir():
            self.fail(f"the folder {str(found.parent)!r} does not exist", param, ctx)
        return found


class StateFile(OutputFile):
    """A file that is replaced repeatedly, so its folder must be writable."""

    def convert(self, value: Any, param: Parameter, ctx: Context) -> Path:
        """Check that a file can be created in the folder."""
        found = super().convert(value, param, ctx)
        folder = Path(os.path.realpath(found)).parent  # the target's folder if the file is a symbolic link
        try:
            with tempfile.NamedTemporaryFile(dir=folder):
                return found
        except OSError as error:
            self.fail(f"cannot create a file in {str(folder)!r}: {error.strerror}", param, ctx)


INPUT = click.Path(path_type=Path, dir_okay=False, exists=True)
OUTPUT = OutputFile()
STATE = StateFile()


def _combine(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _choice(*names: str, choices: list[str], help: str) -> Callable[[Any], Any]:
    return click.option(*names, type=click.Choice(choices), default=choices[0], show_default=True, help=help)


def _number(name: str, kind: click.ParamType[Any], default: float, help: str) -> Callable[[Any], Any]:
    return click.option(name, type=kind, default=default, show_default=True, help=help)


def _check_token(_: click.Context, __: click.Parameter, text: str) -> str:
    found = text.strip()  # pasted text and files from Windows often end with white space
    if not is_valid_token(found):
        raise click.BadParameter("the token contains characters that an HTTP header cannot carry")
    return found


def _secret(name: str, envvar: str, help: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(name, envvar=envvar, show_envvar=True, default="", help=help, **more)


token = _combine(
    _secret("--token", "SCIM_TOKEN", "The secret token.", callback=_check_token),
    click.option("--token-endpoint", metavar="URL", help="Sign in here instead (OAuth client credentials)."),
    click.option("--client-id", default="", help="The client ID for --token-endpoint."),
    _secret("--client-secret", "SCIM_CLIENT_SECRET", "The client secret for --token-endpoint."),
    _choice("--credentials", choices=["body", "header", "both"], help="Where client ID and secret are sent."),
    click.option("--token-scope", default="", help="The scope to ask the token endpoint for."),
    click.option(
        "--federation",
        "identity_file",
        type=INPUT,
        help="Sign in with the workload identity in this file, instead of a secret.",
    ),
)
job = _combine(
    click.argument("tenant_file", metavar="TENANT", type=INPUT),
    click.option("--url", required=True, help="The tenant URL; ?aadOptscim062020 may be appended."),
    token,
    click.option("--state", "state_file", type=STATE, help="Keep links and watermark in this file."),
    _choice("--scope", choices=["assigned", "all"], help="Provision assigned users and groups, or all."),
    click.option(
        "--roles", type=click.Choice(list(mapping.ROLE_STYLES)), help="Map app roles (--scope assigned only)."
    ),
    _choice(
        "--booleans",
        choices=["auto", "string", "native"],
        help="How PATCH writes booleans; auto: as strings in dialect L only.",
    ),
    _choice("--manager-style", "manager", choices=["string", "array", "object"], help="The form of a manager value."),
    _number("--member-batch", click.IntRange(1), 1, "Members in one PATCH."),
    click.option("--flag", is_flag=True, help="Use dialect F, as with aadOptscim062020 in the URL."),
    click.option("--nulls", "nulls_in_create", is_flag=True, help="Send null for empty attributes in a create."),
    click.option("--clear-values", is_flag=True, help="Send values that became empty; Entra mostly does not."),
)
mapping_file = click.option(
    "--mapping",
    default="idmelon",
    show_default=True,
    metavar="idmelon|entra|FILE",
    help="Entra's default mappings with or without IDmelon's attributes, or an exported schema.",
)
http = _combine(
    _number("--rate", click.FloatRange(0), 25, "At most this many requests per second; 0: unlimited."),
    _number("--timeout", click.FloatRange(0.1), 30, "Seconds to wait for a response."),
    _choice("--encode-spaces", "spaces", choices=["+", "%20"], help="The encoding of spaces in a query."),
    click.option("--trailing-slash", is_flag=True, help="Send /Users/?filter=... instead of /Users?filter=..."),
    click.option("--charset/--no-charset", default=True, help="Send charset=utf-8 in Content-Type."),
    click.option("--user-agent/--no-user-agent", default=True, help="Send a User-Agent header."),
    click.option("--flag-on-wire", is_flag=True, help="Keep aadOptscim062020 in the URL of every request."),
    click.option(
        "--fault",
        "faults",
        multiple=True,
        metavar="FAULT:SHARE",
        callback=_parse_faults,
        help="Inject 429, 500, 503 or timeout, for example 429:0.05.",
    ),
    click.option("--retry-after", "honour_retry_after", is_flag=True, help="Wait for Retry-After and retry at once."),
)


def build(cls: Callable[..., Built], settings: Settings, **given: Any) -> Built:
    """Build a dataclass from the settings that have the names of its fields."""
    names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in settings.items() if name in names} | given)


def make_endpoint(url: str, settings: Settings) -> Endpoint:
    """Build the endpoint and request its token. Raises a usage error if the URL or the token is missing."""
    try:
        split_url(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    credentials = _credentials(settings) if settings["token_endpoint"] else None
    if not credentials and (settings["client_id"] or settings["identity_file"]):
        raise click.UsageError("--client-id and --federation need --token-endpoint.")
    if not (settings["token"] or credentials):
        raise click.UsageError("No token. Pass --token TOKEN or set the environment variable SCIM_TOKEN.")
    token = "" if credentials else settings["token"]
    endpoint = Endpoint(url, token, build(HttpOptions, settings), credentials=credentials)
    endpoint.refresh_token()
    return endpoint


def _credentials(settings: Settings) -> Credentials:
    """Build the client's credentials, and serve the keys of its workload identity until the command ends."""
    if not settings["client_id"]:
        raise click.UsageError("--token-endpoint needs --client-id.")
    identity = None
    if settings["identity_file"]:
        identity = WorkloadIdentity.load(settings["identity_file"])
        click.get_current_context().with_resource(identity.serving())
    elif not settings["client_secret"]:
        raise click.UsageError("No client secret. Set SCIM_CLIENT_SECRET, or pass --federation FILE.")
    return Credentials(
        settings["token_endpoint"],
        settings["client_id"],
        settings["client_secret"],
        settings["credentials"],
        identity,
        settings["token_scope"],
    )


def make_mappings(settings: Settings) -> MappingSet:
    """Build the mapping set of --mapping and --roles; print what is not supported to standard error."""
    name, roles = settings["mapping"], settings.get("roles")
    if roles and settings["scope"] == "all":
        raise click.UsageError("--roles cannot be combined with --scope all: Entra rejects role expressions there.")
    defaults = {"idmelon": mapping.idmelon_defaults, "entra": mapping.entra_defaults}
    mappings = defaults[name]() if name in defaults else _read_mappings(name)
    for description in mappings.unsupported:
        click.echo(f"not supported, ignored: {description}", err=True)
    return mapping.with_roles(mappings, roles) if roles else mappings


def _read_mappings(name: str) -> MappingSet:
    try:
        return graph.mappings(graph.load(Path(name).read_bytes()))
    except (OSError, graph.NoSchemaError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.BadParameter(f"{name}: {reason}", param_hint="--mapping") from None
