"""An OAuth client, created in the browser and used over the network."""

import httpx

CLIENTS = "/panel/integrations/entra/clients"


def test_a_client_is_created_used_and_revoked(open_page, service, accessibility_faults, faults):
    page = open_page(viewport={"width": 360, "height": 740})
    found = {}

    def look(name):
        found[name] = accessibility_faults(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name

    page.goto(f"{CLIENTS}/new")
    page.get_by_role("button", name="Create client").click()
    id, secret = (page.get_by_label(label).input_value() for label in ("Client ID", "Client Secret"))
    look("values for Entra")
    form = {"grant_type": "client_credentials", "client_id": id, "client_secret": secret}
    token = httpx.post(page.get_by_label("OAuth token endpoint").input_value(), data=form).json()["access_token"]
    assert service.send("GET", "/Users", token=token).status_code == 200
    page.get_by_role("link", name="Done").click()
    look("clients")
    for link in ("New secret", "Workload identity", "Revoke client"):
        page.goto(CLIENTS)
        page.get_by_role("link", name=link).click()
        look(link)
    page.goto("/panel/integrations/entra/test")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("Sign-in works").wait_for()
    page.get_by_text("Groups: search works").wait_for()
    page.goto(f"{CLIENTS}/revoke?id={id}")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("revoked. Its access tokens no longer work.").wait_for()
    assert service.send("GET", "/Users", token=token).status_code == 401
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert faults == []
