"""`flask panel`: the administrator's password for the web panel."""

import sys

import click

from commands.identity import Group
from commands.paths import config_path
from config import edit

panel = Group("panel", help="The administrator's web panel.")


@panel.command("password")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def password(password_stdin: bool) -> None:
    """Set the password to sign in with, which turns the panel on. Everybody who is signed in is signed out."""
    path = config_path()
    text = _given(password_stdin)
    try:
        edit.set_password(path, text)
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None
    click.echo("The password is set. A running server takes it up at once.", err=True)


def _given(password_stdin: bool) -> str:
    if sys.stdin is None:
        raise click.ClickException("Standard input is closed.")
    try:
        if password_stdin:
            text = sys.stdin.readline().rstrip("\r\n")
        else:
            text = str(click.prompt("New password", hide_input=True, confirmation_prompt=True))
        text.encode()  # depending on the locale, bytes that are no text fail here, or are not even read
    except UnicodeError:
        raise click.ClickException("The password is no text in UTF-8.") from None
    return text
