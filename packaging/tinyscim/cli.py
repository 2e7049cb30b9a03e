"""The `tinyscim` command: run the service, administer it, and emulate Entra."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from flask.cli import ScriptInfo

from app import create_app, refuse_to_start
from commands import COMMANDS
from config import ConfigError, Server, default_path, read
from config.environment import FILE, PREFIX
from entra.cli import main as emulator
from fileio.atomic import create_atomically
from runtime.networks import with_free_port

FOLDER = Path(__file__).parent
# Without -P, Python would import modules from the working directory first.
PYTHON = (sys.executable, "-P", "-m")


def _set(option: str, value: str) -> None:
    """Set an option for this process and those that it starts. The command line has precedence over the environment."""
    os.environ.pop(f"{PREFIX}{option}{FILE}", None)
    os.environ[f"{PREFIX}{option}"] = value


def _use_config(_: click.Context, __: click.Parameter, path: Path | None) -> None:
    if path:
        os.environ["SCIM_CONFIG"] = str(path.absolute())


def _use_data(_: click.Context, __: click.Parameter, folder: Path | None) -> None:
    if folder:
        _set("STORE__PATH", str(folder.absolute() / "tinyscim.json"))
        _set("LOG__PATH", str(folder.absolute() / "provisioning.jsonl"))


def _files(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the configuration and the data are."""
    file, folder = click.Path(path_type=Path, dir_okay=False), click.Path(path_type=Path, file_okay=False)
    options: dict[str, Any] = {"expose_value": False, "is_eager": True}
    in_file = click.option(
        "--config", type=file, callback=_use_config, help="The configuration.  [default: config.toml]", **options
    )
    in_folder = click.option(
        "--data", type=folder, callback=_use_data, help="Keep the store and the log in this folder.", **options
    )
    return in_file(in_folder(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="tinyscim", prog_name="tinyscim", message="%(prog)s %(version)s")
@_files
@click.pass_context
def main(ctx: click.Context) -> None:
    """Run and administer Tinyscim, a SCIM 2.0 service for Microsoft Entra ID."""
    os.environ.setdefault("SCIM_CONFIG", str(Path("config.toml").absolute()))
    ctx.obj = ScriptInfo(create_app=_app, set_debug_flag=False)


for _command in COMMANDS:
    main.add_command(_command)
main.add_command(emulator, "entra")


def _app() -> Any:
    path = default_path()
    if not path.exists():
        raise click.ClickException(
            f"{path} does not exist. Create it with `tinyscim run`, or name another: --config FILE"
        )
    return create_app()


def _bind(server: Server, host: str | None, port: int | None) -> str:
    configured = ":8000" if server.socket else server.bind
    if host is None and port is None:
        return server.bind
    old_host, _, old_port = configured.rpartition(":")
    host = f"[{host}]" if host and ":" in host else host
    return f"{host or old_host or '127.0.0.1'}:{old_port if port is None else port}"


@main.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), help="The port to listen on; 0 for any.")
@_files
def run(host: str | None, port: int | None) -> None:
    """Start the service.

    The first start creates config.toml, and prints the Tenant URL, a token and the panel's password.
    """
    path = default_path()
    try:
        if not path.exists():
            create_atomically(path, (FOLDER / "config.example.toml").read_bytes())
            click.echo(f"Created {path}")
        server = read(path).server
        if (bind := with_free_port(_bind(server, host, port))) != server.bind:
            _set("SERVER__BIND", bind)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    except ConfigError as error:
        refuse_to_start(str(error))
    # A process of its own, because root becomes the owner of the files in it.
    status = subprocess.run([*PYTHON, "tinyscim", "setup"], check=False).returncode  # noqa: S603
    if status:
        sys.exit(status)
    sys.stdout.flush()
    os.execv(sys.executable, [*PYTHON, "gunicorn", "--config", str(FOLDER / "gunicorn.conf.py")])  # noqa: S606
