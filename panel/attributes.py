"""The names of the attributes that are the organisation's own."""

import logging
from dataclasses import asdict, fields

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import AttributeNames, edit
from panel.page import config_path, form_field, is_form_submission
from scim.web.request import service

log = logging.getLogger("tinyscim.panel")


def attribute_names() -> ResponseReturnValue:
    """Ask for the names, and keep them."""
    if not is_form_submission():
        return render_template("panel/attributes.html", names=asdict(service().live_config.current.attribute_names))
    given = {one.name: form_field(one.name).strip() for one in fields(AttributeNames)}
    try:
        edit.set_attribute_names(config_path(), given)
    except edit.Refused as error:
        return render_template("panel/attributes.html", names=given, problem=str(error)), 400
    log.info("attributes were named from %s", request.remote_addr)
    flash("The names are saved.")
    return redirect(url_for("panel.attribute_names"))
