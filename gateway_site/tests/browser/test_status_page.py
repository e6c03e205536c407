"""The status page in a real browser: on a desktop, on a phone, in the dark, without scripts; it fits and is readable."""

import time
from typing import Any

import pytest
import requests

from gateway_site.tests.browser.conftest import Open, barriers
from tools.processes.service import Service

pytestmark = pytest.mark.verify

DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
SMALL = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark", "java_script_enabled": False}
READERS: dict[str, dict[str, Any]] = {
    "desk": DESK,
    "dark": DESK | {"color_scheme": "dark"},
    "phone": PHONE,
    "phone-dark-no-scripts": SMALL,
}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> dict[str, Any]:
    return READERS[request.param]


@pytest.fixture(scope="module")
def busy(dev_gateway: Service) -> Service:
    """The pair in dev, with data for the charts."""
    until = time.monotonic() + 30
    with requests.Session() as session:
        while time.monotonic() < until:
            for _ in range(20):
                session.get(f"{dev_gateway.url}/api/users", timeout=10)
            if "<rect" in session.get(dev_gateway.url, headers={"Accept": "text/html"}, timeout=10).text:
                return dev_gateway
            time.sleep(0.2)
    raise AssertionError("no bar was drawn")


def test_is_whole_and_readable_for_every_reader(visit: Open, busy: Service, reader: dict[str, Any]) -> None:
    seen = visit(busy)
    seen.open("/")
    text = seen.text()
    for wanted in ("Everything works", "user-service", "redis", "circuit", "Median", "5 min ago"):
        assert wanted in text
    seen.assert_whole()
    assert len(seen.answers) == 1, "the page is one file"
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    bar = seen.page.locator("rect.all").last.bounding_box()
    assert bar is not None
    assert bar["height"] > 1
    if reader.get("java_script_enabled", True):
        assert barriers(seen) == "", "contrast among them"
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) < 200
    assert is_dark == (reader.get("color_scheme") == "dark")


@pytest.mark.parametrize("reader", ["phone-dark-no-scripts"], indirect=True)
def test_reloads_without_scripts_until_it_is_stopped(visit: Open, busy: Service) -> None:
    seen = visit(busy)
    seen.open("/")
    seen.page.get_by_role("link", name="reload every").click()
    with seen.page.expect_navigation(timeout=15_000):
        pass
    seen.page.get_by_role("link", name="stop").click()
    assert seen.page.url == f"{busy.url}/"
