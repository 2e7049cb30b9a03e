"""The main menu, and the tabs of the connection's pages."""

from collections.abc import Iterable
from typing import NamedTuple

from flask import request, url_for

from scim.web.request import service

_TABS = {
    "entra": "Credentials",
    "guide": "Setup guide",
    "attribute_names": "Attributes",
    "deprovisioning": "Deprovisioning",
    "test": "Test",
}


class Item(NamedTuple):
    """A page in a menu."""

    url: str
    label: str
    is_current: bool


def navigation() -> list[Item]:
    """Return the main menu."""
    kinds = [type.endpoint.strip("/") for type in service().registry.types.values()]
    pages = {"Overview": url_for("panel.home")}
    pages |= {kind: url_for("panel.listing", kind=kind) for kind in kinds}
    pages |= {"Log": url_for("panel.log"), "Webhooks": url_for("panel.webhooks"), "Connection": url_for("panel.entra")}
    current = pages["Connection"] if tabs() else _closest(pages.values())
    return [Item(url, label, url == current) for label, url in pages.items()]


def tabs() -> list[Item]:
    """Return the tabs, or nothing on pages outside the connection's."""
    pages = {label: url_for(f"panel.{page}") for page, label in _TABS.items()}
    current = _closest(pages.values())
    return [Item(url, label, url == current) for label, url in pages.items()] if current else []


def _closest(urls: Iterable[str]) -> str:
    """Return the longest of the URLs at or below which the request's page is, or an empty string."""
    here = f"{request.script_root}{request.path}".rstrip("/") + "/"
    return max((url for url in urls if here == url or here.startswith(f"{url}/")), key=len, default="")
