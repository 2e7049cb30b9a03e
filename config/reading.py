"""Reads config.toml and the environment into a frozen `Config`; every error names its source, the table and the key."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from config import environment
from config.environment import Override
from config.error_lines import error_lines
from config.options import Config
from config.schema import ConfigSchema

_PROJECT = Path(__file__).resolve().parents[1]


class ConfigError(Exception):
    """The configuration is wrong; the message has a line for each error, for the administrator."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join("".join(map(_visible, reason)) for reason in reasons))


def _visible(character: str) -> str:
    if character == "\0":
        return r"\0"
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def default_path() -> Path:
    """Return the file that SCIM_CONFIG names, or the project's config.toml."""
    return Path(os.environ.get("SCIM_CONFIG") or _PROJECT / "config.toml").absolute()


def read(path: Path) -> Config:
    """Read a file and the environment, which takes precedence. Raises ConfigError."""
    return parse_text(read_text(path), path)


def read_text(path: Path) -> str:
    """Return the text of a file. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; copy config.example.toml to it") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse_text(text: str, path: Path) -> Config:
    """Return the configuration in this text of the file and in the environment. Raises ConfigError."""
    given = overrides()
    try:
        config = parse(environment.merged(tomllib.loads(text), given.values()), path, given.values())
    except ValueError as error:  # not TOML, or a number with too many digits
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: a value is nested too deeply") from None
    if text[-1:].isdigit():  # 365 days, cut off, would be 3
        raise ConfigError(f"{path}: the last line may be cut off in a number: end it with a line break")
    return config


def overrides() -> dict[tuple[str, str], Override]:
    """Return the options that the environment sets, by table and option. Raises ConfigError."""
    try:
        return environment.overrides()
    except ValueError as error:
        raise ConfigError(str(error)) from None


def parse(tables: Mapping[str, Any], path: Path | None = None, given: Iterable[Override] = ()) -> Config:
    """Return the configuration in these tables, which were read from the file at `path`. Raises ConfigError.

    Errors in the `given` options of the environment name the variable instead of the file.
    """
    try:
        config: Config = ConfigSchema(is_file=path is not None).load(tables)
    except ValidationError as error:
        reasons = []
        for line in error_lines(ConfigSchema(), error.messages_dict):
            source = next((one.variable for one in given if one.is_cause_of(line)), path or "configuration")
            reasons.append(f"{source}: {line}")
        raise ConfigError(*reasons) from None
    return replace(config, path=path)
