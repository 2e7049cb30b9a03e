"""The names of the attributes that are the organisation's own."""

import logging
from dataclasses import asdict, fields

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import AttributeNames, edit
from panel.page import config_path, from_form, is_sent
from scim.web.request import service

log = logging.getLogger("tinyscim.panel")


def attribute_names() -> ResponseReturnValue:
    """Ask for the names, and keep them."""
    if not is_sent():
        return render_template("panel/attributes.html", names=asdict(service().live_config.now.attribute_names))
    given = {one.name: from_form(one.name).strip() for one in fields(AttributeNames)}
    try:
        edit.set_attribute_names(config_path(), given)
    except edit.Refused as error:
        return render_template("panel/attributes.html", names=given, problem=str(error)), 400
    log.info("attributes were named from %s", request.remote_addr)
    flash("The names are saved.")
    return redirect(url_for("panel.attribute_names"))
