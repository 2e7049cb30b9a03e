"""The setup guide and the schema file."""

import io
import json

import pytest

from panel.guide import STEPS
from tests.support.urns import IDMELON

GUIDE = "/panel/integrations/entra/guide"


def exported():
    """A small schema as Entra exports it: one rule with mappings of users and groups."""

    def mapping(kind, rows):
        return {
            "enabled": True,
            "sourceObjectName": kind,
            "targetObjectName": f"urn:ietf:params:scim:schemas:core:2.0:{kind}",
            "attributeMappings": [
                {
                    "source": {"type": "Attribute", "name": source, "expression": f"[{source}]", "parameters": []},
                    "targetAttributeName": target,
                    "matchingPriority": priority,
                }
                for source, target, priority in rows
            ],
        }

    def listed(kind, *names):
        return {
            "name": f"urn:ietf:params:scim:schemas:core:2.0:{kind}",
            "attributes": [{"name": name, "type": "String"} for name in names],
        }

    users = [("userPrincipalName", "userName", 1), ("mailNickname", "externalId", 0)]
    groups = [("displayName", "displayName", 1), ("objectId", "externalId", 0)]
    return {
        "id": "customappsso",
        "directories": [
            {"name": "Azure Active Directory", "objects": []},
            {
                "name": "customappsso",
                "objects": [listed("User", "userName", "externalId"), listed("Group", "displayName", "externalId")],
            },
        ],
        "synchronizationRules": [
            {
                "sourceDirectoryName": "Azure Active Directory",
                "targetDirectoryName": "customappsso",
                "objectMappings": [mapping("User", users), mapping("Group", groups)],
            }
        ],
    }


def upload(browser, content, give="page"):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    fields = {"schema": (io.BytesIO(text), "schema.json"), "give": give}
    return browser.post(f"{GUIDE}/schema", fields, form=GUIDE, content_type="multipart/form-data")


def test_the_guide_shows_this_servers_values(make_browser):
    browser = make_browser(server={"public_url": "https://scim.example.com"})
    browser.sign_in()
    page = browser.get(GUIDE)
    assert page.value("url") == "https://scim.example.com/api/scim/v2"
    assert page.value("application") == "IDmelon"
    for name in ("immutable_id", *(f"extraAttribute{number}" for number in range(1, 6))):
        assert f"{IDMELON}:{name}" in page.text
    assert f"immutableId {IDMELON}:immutable_id" in page.text


@pytest.mark.parametrize(
    ("public_url", "warning"),
    [
        ("https://scim.example.com", None),
        ("http://scim.example.com", "The URL is not HTTPS"),
        ("https://10.0.0.7", "The address is not public"),
    ],
)
def test_the_guide_says_if_entra_cannot_reach_the_address(make_browser, public_url, warning):
    browser = make_browser(server={"public_url": public_url})
    browser.sign_in()
    text = browser.get(GUIDE).text
    assert (warning is None) == ("The URL is not" not in text and "The address is not" not in text)
    assert not warning or warning in text


def test_the_tables_follow_the_served_schemas(make_browser):
    extension = {
        "id": "urn:ietf:params:scim:schemas:extension:contoso:2.0:User",
        "name": "Contoso",
        "extends": "User",
        "attributes": [{"name": "carSeats", "type": "integer", "description": "How many fit in."}],
    }
    browser = make_browser(schemas=[extension], attribute_names={"extraAttribute2": "Badge number"})
    browser.sign_in()
    assert f"{extension['id']}:carSeats" in browser.get(GUIDE).text
    page = browser.get("/panel/attributes")
    assert f"{extension['id']}:carSeats" in page.text
    assert "Integer" in page.text
    assert "Car seats How many fit in." in page.text
    assert "Badge number" in page.text


def test_every_attribute_is_in_the_mappings(browser):
    page = browser.get("/panel/attributes")
    schemas = browser.scim("GET", "/Schemas").get_json(force=True)["Resources"]
    for schema in schemas:
        core = schema["id"].startswith("urn:ietf:params:scim:schemas:core")
        for attribute in schema["attributes"]:
            name = attribute["name"] if core else f"{schema['id']}:{attribute['name']}"
            if attribute["mutability"] != "readOnly":
                assert name in page.text


def test_missing_attributes_and_mappings_are_added_to_the_schema(browser):
    page = upload(browser, exported())
    assert page.status == 200
    assert f"User: declared {IDMELON}:immutable_id" in page.text
    assert "Group: mapped description to description" in page.text


def test_a_downloaded_result_needs_no_further_change(browser):
    answer = upload(browser, exported(), give="file")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert "attachment" in answer.headers["Content-Disposition"]
    names = [row["name"] for row in json.loads(answer.html)["directories"][1]["objects"][0]["attributes"]]
    assert f"{IDMELON}:extraAttribute5" in names
    assert "The schema is already complete" in upload(browser, answer.html.encode()).text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no json", "not JSON"),
        (b"[]", "is a JSON object"),
        (b"{}", "no &#34;synchronizationRules&#34;"),
        (b"\xff\xfe", "not JSON"),
        ({**exported(), "id": "\ud800"}, "half a surrogate pair"),
        ({**exported(), "id": float("nan")}, "not JSON"),
    ],
)
def test_an_invalid_schema_is_refused_with_the_reason(browser, content, reason):
    page = upload(browser, content)
    assert page.status == 400
    assert "This file is not a schema exported from Entra" in page.text
    assert reason in page.html


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("directories",), None),
        (("directories", 1, "objects", 0, "attributes"), "text"),
        (("directories", 1, "objects"), []),
        (("synchronizationRules", 0, "objectMappings"), None),
        (("synchronizationRules", 0, "objectMappings", 0, "attributeMappings"), [1]),
        (("synchronizationRules", 0, "objectMappings", 1, "targetObjectName"), 5),
    ],
)
def test_a_schema_with_a_missing_part_is_refused(browser, where, value):
    content = exported()
    *path, key = where
    part = content
    for step in path:
        part = part[step]
    part[key] = value
    assert upload(browser, content).status == 400


def test_a_source_that_an_administrator_chose_is_kept(browser):
    content = exported()
    rows = content["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"]
    rows[1]["source"] = {"type": "Attribute", "name": "employeeId"}
    answer = upload(browser, content, give="file")
    mapping = json.loads(answer.html)["synchronizationRules"][0]["objectMappings"][0]
    assert mapping["attributeMappings"][1]["source"]["name"] == "employeeId"


def test_an_upload_without_a_file_is_refused(browser):
    page = browser.post(f"{GUIDE}/schema", {"give": "page"}, form=GUIDE)
    assert page.status == 400
    assert "Choose the file" in page.text


def tick(browser, step, value="yes"):
    return browser.post(f"{GUIDE}/progress", {step: value}, form=GUIDE)


def test_a_new_administrator_has_done_nothing(browser):
    page = browser.get(GUIDE)
    assert "0 of 8 steps done" in page.text
    assert page.html.count('aria-checked="false"') == 8


def test_ticked_steps_stay_ticked_and_lead_to_the_next_open_step(browser):
    assert tick(browser, "connect").headers["Location"].endswith(f"{GUIDE}#application")
    assert tick(browser, "application").headers["Location"].endswith(f"{GUIDE}#scope")
    page = browser.get(GUIDE)
    assert "2 of 8 steps done" in page.text
    assert page.html.count('aria-checked="true"') == 2


def test_a_step_can_be_unticked(browser):
    tick(browser, "application")
    tick(browser, "application", "no")
    assert "0 of 8 steps done" in browser.get(GUIDE).text


def test_the_last_tick_leads_to_what_you_should_see(browser):
    for step in STEPS:
        answer = tick(browser, step)
    assert answer.headers["Location"].endswith(f"{GUIDE}#now")
    assert "What you should see now" in browser.get(GUIDE).text


def test_unknown_steps_are_ignored(browser):
    cookie = tick(browser, "hacked").headers["Set-Cookie"]
    assert cookie.startswith("tinyscim_guide=;")
    assert "HttpOnly" in cookie
