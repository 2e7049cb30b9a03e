"""A program that creates users over SCIM."""

import httpx

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


def hire(scim: httpx.Client, name: str) -> str:
    """Create a user and return its id."""
    answer = scim.post("/Users", json={"schemas": [USER], "userName": name, "active": True})
    return answer.raise_for_status().json()["id"]


def dismiss(scim: httpx.Client, id: str) -> None:
    """Disable a user."""
    patch = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": False}],
    }
    scim.patch(f"/Users/{id}", json=patch).raise_for_status()
