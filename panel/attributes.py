"""The attributes that clients can write, and the names of the custom ones."""

import logging
from dataclasses import asdict, fields

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import AttributeNames, edit
from panel import guide
from panel.names import Names
from panel.page import config_path, form_field, is_form_submission
from scim.web.request import service

log = logging.getLogger("tinyscim.panel")


def attribute_names() -> ResponseReturnValue:
    """Show the form and the mappings, or save the names."""
    if not is_form_submission():
        return _page(asdict(service().live_config.current.attribute_names))
    names = {field.name: form_field(field.name).strip() for field in fields(AttributeNames)}
    try:
        edit.set_attribute_names(config_path(), names)
    except edit.Refused as error:
        return _page(names, str(error)), 400
    log.info("custom attributes renamed from %s", request.remote_addr)
    flash("Names saved.")
    return redirect(url_for("panel.attribute_names"))


def _page(names: dict[str, str], problem: str = "") -> str:
    mappings = guide.attributes(Names(service().live_config.current))
    return render_template("panel/attributes.html", names=names, mappings=mappings, problem=problem)
