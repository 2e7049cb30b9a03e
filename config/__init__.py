"""The configuration: options, validation, changes from the panel and the command line, and reloading."""

from config.credentials import NEVER, Client, ClientSecret, Federation, RevokedToken, Token
from config.options import (
    TABLES,
    AttributeNames,
    Config,
    Connection,
    Directory,
    Limits,
    LogOptions,
    Metrics,
    OAuth,
    Panel,
    Server,
    StoreOptions,
)
from config.reading import ConfigError, default_path, overrides, parse, parse_text, read, read_text

__all__ = [
    "NEVER",
    "TABLES",
    "AttributeNames",
    "Client",
    "ClientSecret",
    "Config",
    "ConfigError",
    "Connection",
    "Directory",
    "Federation",
    "Limits",
    "LogOptions",
    "Metrics",
    "OAuth",
    "Panel",
    "RevokedToken",
    "Server",
    "StoreOptions",
    "Token",
    "default_path",
    "overrides",
    "parse",
    "parse_text",
    "read",
    "read_text",
]
