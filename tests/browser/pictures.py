"""Take the README's pictures: python -m tests.browser.pictures docs."""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import sync_playwright

from tests.support.running_service import CHROMIUM, FLAGS, PASSWORD, Running, running
from tests.support.urns import GROUP, IDMELON, USER

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PEOPLE = (
    ("Ada Lovelace", "Research", True),
    ("Alan Turing", "Research", True),
    ("Barbara Liskov", "Engineering", True),
    ("Donald Knuth", "Engineering", False),
    ("Grace Hopper", "Operations", True),
    ("Katherine Johnson", "Research", True),
    ("Margaret Hamilton", "Engineering", True),
    ("Radia Perlman", "Operations", True),
)
PICTURES = {
    "overview": "/panel/",
    "guide": "/panel/integrations/entra/guide",
    "users": "/panel/directory/Users",
    "log": "/panel/log",
}


def main(folder: Path) -> None:
    """Take every picture, of a service with a few people in it."""
    folder.mkdir(exist_ok=True)
    tables = {
        "server": {"public_url": "https://scim.contoso.example"},
        "attribute_names": {"extraAttribute1": "Badge number"},
    }
    with (
        tempfile.TemporaryDirectory() as place,
        _counted(Path(place) / "data"),
        running(Path(place), **tables) as service,
    ):
        grace = _provision(service)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(base_url=service.url, viewport={"width": 1100, "height": 760})
            _sign_in(page)
            for name, path in {**PICTURES, "user": f"/panel/directory/Users/{grace}"}.items():
                page.goto(path)
                page.screenshot(path=folder / f"panel-{name}.png", full_page=name == "overview")
            browser.close()


@contextmanager
def _counted(data: Path) -> Iterator[None]:
    """Write counts of the last day, as if there had been a cycle in each hour."""
    data.mkdir(0o700)
    chance, now = Random(7), int(time.time() // 3600)
    weights = {"created": 3, "updated": 12, "disabled": 2, "enabled": 1, "deleted": 1}
    counts = [
        [now - hour, "entra", "", kind, chance.randint(0, weight)]
        for hour in range(1, 24)
        for kind, weight in weights.items()
    ]
    body = {"counts": counts, "cycles": [], "rejections": [], "probed": []}
    (data / "tinyscim.counts.json").write_text(json.dumps(body))
    yield


def _provision(service: Running) -> str:
    """Create people, their group, a change and a conflict, and return the id of Grace."""
    service.probe()
    ids: dict[str, str] = {}
    for number, (name, department, active) in enumerate(PEOPLE):
        user = _user(number, name, department, active)
        if ids:
            user[ENTERPRISE]["manager"] = {"value": ids["Ada Lovelace"]}
        ids[name] = service.entra("POST", "/Users", user).json()["id"]
    group = service.entra("POST", "/Groups", {"schemas": [GROUP], "displayName": "Everybody"}).json()["id"]
    for id in ids.values():
        _patch(service, f"/Groups/{group}", {"op": "Add", "path": "members", "value": [{"value": id}]})
    grace = ids["Grace Hopper"]
    _patch(service, f"/Users/{grace}", {"op": "Replace", "path": "title", "value": "Rear admiral"})
    _patch(service, f"/Users/{grace}", {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": ids["Alan Turing"]})
    service.entra("POST", "/Users", _user(len(PEOPLE), "Alan Turing", "Research", True))
    time.sleep(2)  # until the workers have written their counts
    return grace


def _patch(service: Running, path: str, operation: dict[str, Any]) -> None:
    service.entra("PATCH", path, {"schemas": [PATCH], "Operations": [operation]})


def _user(number: int, name: str, department: str, active: bool) -> dict[str, Any]:
    given, family = name.split()
    address = f"{given}.{family}@contoso.example".lower()
    return {
        "schemas": [USER, ENTERPRISE, IDMELON],
        "userName": address,
        "displayName": name,
        "name": {"givenName": given, "familyName": family},
        "active": active,
        "emails": [{"type": "work", "value": address, "primary": True}],
        ENTERPRISE: {"department": department, "employeeNumber": str(4100 + number)},
        IDMELON: {"immutable_id": f"qL7x{number}w==", "extraAttribute1": f"B-{1840 + number}"},
    }


def _sign_in(page: Any) -> None:
    page.goto("/panel/sign-in")
    page.get_by_label("Administrator password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/panel/")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
