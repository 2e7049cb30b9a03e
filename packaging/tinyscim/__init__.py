"""Tinyscim: a SCIM 2.0 service for Microsoft Entra ID."""

from importlib.metadata import version

__version__ = version("tinyscim")
