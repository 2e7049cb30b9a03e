"""A real browser and the real service; without a browser these tests are skipped."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_service import CHROMIUM, FLAGS, PASSWORD, Running, running

AXE = (Path(__file__).parent / "vendor" / "axe" / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: package chromium)")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as started:
        yield started


@pytest.fixture
def faults() -> list[str]:
    """What the browser complains of, and requests that leave the service."""
    return []


@pytest.fixture
def open_page(chromium: Any, service: Running, faults: list[str]) -> Iterator[Any]:
    """Make a page of a browser that is signed in: open_page(color_scheme="dark", java_script_enabled=False)."""
    contexts = []

    def open_one(**options: Any) -> Any:
        context = chromium.new_context(base_url=service.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: None if request.url.startswith(service.url) else faults.append(request.url))
        sign_in(page)
        return page

    yield open_one
    for context in contexts:
        context.close()


def sign_in(page: Any) -> None:
    page.goto("/")
    page.get_by_label("Administrator password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Overview").wait_for()


@pytest.fixture(scope="session")
def accessibility_faults() -> Any:
    """Return what axe-core finds on a page, with the elements in question."""

    def find(page: Any) -> list[str]:
        page.evaluate(AXE)
        found = page.evaluate("axe.run()")["violations"]
        return [f"{one['id']}: {[node['html'] for node in one['nodes']][:3]}" for one in found]

    return find
