"""Reads config.toml into a frozen `Config`; every error names the file, the table and the key."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from config.options import Config
from config.schema import ConfigSchema, error_lines

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
    """Read a file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        config = parse(tomllib.loads(text), path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; copy config.example.toml to it") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # not TOML, not UTF-8, or a number with too many digits
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: a value is nested too deeply") from None
    if text[-1:].isdigit():  # 365 days, cut off, would be 3
        raise ConfigError(f"{path}: the last line may be cut off in a number: end it with a line break")
    return config


def parse(tables: Mapping[str, Any], path: Path | None = None) -> Config:
    """Return the configuration in these tables, which were read from the file at `path`. Raises ConfigError."""
    try:
        config: Config = ConfigSchema(is_file=path is not None).load(tables)
    except ValidationError as error:
        source = path or "configuration"
        raise ConfigError(*(f"{source}: {line}" for line in error_lines(error.messages_dict))) from None
    return replace(config, path=path)
