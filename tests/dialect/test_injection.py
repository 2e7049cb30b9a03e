"""The dialect is injected: without it the service reads requests strictly."""

from pathlib import Path

import pytest

from scim.dialect import ENTRA
from scim.errors import NoTarget
from scim.protocol.operations import load_patch
from scim.schema.resource_types import load
from tests.support.urns import PATCH_OP

ROOT = Path(__file__).parents[2]
TYPES = load().types
USER = TYPES["User"]


def test_no_package_below_the_application_imports_the_dialect():
    for path in (ROOT / "scim").rglob("*.py"):
        assert path.parent.name == "dialect" or "scim.dialect" not in path.read_text(), path


def test_without_a_dialect_remove_ignores_the_listed_elements():
    operation = {"op": "remove", "path": "emails", "value": [{"value": "a@x.example"}]}
    (loaded,), _ = load_patch(USER, {"schemas": [PATCH_OP], "Operations": [operation]})
    assert (loaded.op, loaded.filter) == ("remove", None)


def test_without_a_dialect_a_path_as_a_name_is_unknown():
    operation = {"op": "add", "value": {'emails[type eq "work"].value': "a@x.example"}}
    assert load_patch(USER, {"Operations": [operation]}) == ([], ['emails[type eq "work"].value'])


def test_remove_needs_a_path():
    with pytest.raises(NoTarget):
        load_patch(USER, {"Operations": [{"op": "remove"}]})


def test_listed_members_become_one_operation():
    members = [{"value": f"id-{number}"} for number in range(3_000)]
    operation = {"op": "Remove", "path": "members", "value": members}
    (loaded,), _ = load_patch(TYPES["Group"], {"Operations": [operation]}, ENTRA)
    assert [term.value for term in loaded.filter.terms] == [member["value"] for member in members]
