"""A Flask application that lists the users that Entra has provisioned."""

import os

import httpx
from flask import Flask


def create_app(scim: httpx.Client | None = None) -> Flask:
    """Create the application. In production, SCIM_URL and SCIM_TOKEN (a read-only token) say where the users are."""
    app = Flask(__name__)
    scim = scim or httpx.Client(
        base_url=os.environ["SCIM_URL"], headers={"Authorization": f"Bearer {os.environ['SCIM_TOKEN']}"}
    )

    @app.get("/people")
    def people() -> list[str]:
        found = scim.get("/Users", params={"filter": "active eq true", "attributes": "displayName", "count": 1000})
        return sorted(one["displayName"] for one in found.raise_for_status().json()["Resources"])

    return app
