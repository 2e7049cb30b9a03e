"""`flask panel`: set the web panel's password."""

import sys

import click

from commands.identity import Group
from commands.paths import config_path
from config import edit

panel = Group("panel", help="Manage the web panel's password.")


@panel.command("password")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def password(password_stdin: bool) -> None:
    """Set the web panel's password, which turns the panel on. All signed-in sessions end."""
    path = config_path()
    text = _given(password_stdin)
    try:
        edit.set_password(path, text)
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None
    click.echo("Password set. A running server uses it at once.", err=True)


def _given(password_stdin: bool) -> str:
    if sys.stdin is None:
        raise click.ClickException("Standard input is closed.")
    try:
        if password_stdin:
            text = sys.stdin.readline().rstrip("\r\n")
        else:
            text = str(click.prompt("New password", hide_input=True, confirmation_prompt=True))
        text.encode()  # in some locales, invalid bytes are only detected here
    except UnicodeError:
        raise click.ClickException("The password is not valid UTF-8.") from None
    return text
