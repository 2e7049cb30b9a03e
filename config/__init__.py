"""The configuration: options, validation, changes from the panel and the command line, and reloading."""

from config.options import (
    NEVER,
    TABLES,
    AttributeNames,
    Client,
    ClientSecret,
    Config,
    Connection,
    Directory,
    Federation,
    Limits,
    LogOptions,
    OAuth,
    Panel,
    Server,
    StoreOptions,
    Token,
)
from config.reading import ConfigError, default_path, parse, read

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
    "OAuth",
    "Panel",
    "Server",
    "StoreOptions",
    "Token",
    "default_path",
    "parse",
    "read",
]
