"""Pages of Entra's portal have the same names in messages, in the panel's guide and in the documents."""

import re
from pathlib import Path

import pytest

from app import create_app
from provisioning_log import portal
from storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]
PAGES = [value for value in vars(portal).values() if isinstance(value, portal.Page)]
OTHERS = {"Setup guide", "Create", portal.NON_GALLERY, portal.TENANT_URL, portal.SECRET_TOKEN, portal.TEST}
GUIDE = (ROOT / "docs" / "entra.md").read_text()
README = (ROOT / "README.md").read_text()
SOURCES = [
    path
    for package in ("commands", "panel", "provisioning_log")
    for pattern in ("*.py", "*.html")
    for path in (ROOT / package).rglob(pattern)
    if path.name != "portal.py"
]


def words(text):
    return " ".join(text.replace("*", "").split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_the_documented_steps_have_each_page_with_its_older_name(page):
    assert page.path in words(GUIDE)
    assert not page.older or f"formerly {page.older}" in words(GUIDE)


def test_the_documented_steps_have_each_field_and_button():
    labels = [value for name, value in vars(portal).items() if isinstance(value, str) and name.isupper()]
    labels = [label for label in labels if not label.startswith("https:")]
    assert portal.TENANT_URL in labels
    assert not [label for label in labels if label.casefold() not in words(GUIDE).casefold()]


def test_links_of_the_documented_steps_are_those_of_the_module():
    links = set(re.findall(r"\((https://[^)]+)\)", GUIDE))
    assert links
    assert links <= {value for value in vars(portal).values() if isinstance(value, str)}


def test_the_readme_names_only_pages_of_the_module():
    steps = README.split("## For administrators\n")[1].split("\n## ")[0]
    named = re.findall(r"(?<!\*)\*([^*]+)\*", steps)
    paths = {part for page in PAGES for part in (page.path, *page.path.split(" > "))}
    assert named
    assert {words(name) for name in named} <= paths | OTHERS
    older = [str(page) for page in PAGES if page.older and page.path in words(steps)]
    assert older
    assert all(name in words(steps) for name in older)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_message_spells_a_page_of_the_portal_by_itself(path):
    text = words(path.read_text().replace("&gt;", ">"))
    paths = [name for page in PAGES for name in (page.path, page.older) if " > " in name]
    assert not [name for name in (*paths, "Admin Credentials") if name in text]


def test_pages_of_the_guide_come_with_their_older_names():
    assert str(portal.MAPPING) == "Provisioning > Attribute mapping (formerly Provisioning > Mappings)"
    assert str(portal.ON_DEMAND) == "Provision on demand"


@pytest.mark.parametrize(
    ("public_url", "is_reachable"),
    [("", False), ("http://scim.example.com", False), ("https://scim.example.com", True)],
)
def test_setup_says_where_to_paste_its_values_and_whether_entra_can_reach_them(tmp_path, public_url, is_reachable):
    path = tmp_path / "config.toml"
    path.write_text(f'[server]\npublic_url = "{public_url}"\n')
    path.chmod(0o600)
    result = create_app(path, store=MemoryStore()).test_cli_runner().invoke(args=["setup"])
    assert f"your application > {portal.NEW_CONFIGURATION}." in result.output
    assert ("Entra only calls public HTTPS addresses" not in result.output) == is_reachable
