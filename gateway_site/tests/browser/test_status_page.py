"""The status page in a real browser: on a desktop, on a phone, in the dark, without scripts; it fits and is readable."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from gateway_site.tests.browser.conftest import Visit
from tools.processes.service import Service

pytestmark = pytest.mark.verify

Open = Callable[[Service], Visit]

READERS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "phone-dark-no-scripts": {
        "viewport": {"width": 320, "height": 640},
        "color_scheme": "dark",
        "java_script_enabled": False,
    },
}

TEXTS = "h1, h2, p, dt, dd, li b, .state, .key, th, td, a, .axis span"

COLOURS = """elements => elements.map(element => {
    let ground = element;
    while (ground && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    return [element.textContent, getComputedStyle(element).color, getComputedStyle(ground || document.body).backgroundColor];
})"""


def luminance(colour: str) -> float:
    """Of `rgb(…)`, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


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
    assert seen.errors == [], "the policy refused something of the page's own"
    assert seen.hosts == {busy.url.removeprefix("http://")}
    assert len(seen.answers) == 1, "the page is one file"
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    bar = seen.page.locator("rect.all").last.bounding_box()
    assert bar is not None
    assert bar["height"] > 1
    pale = [
        (shown, ink, ground)
        for shown, ink, ground in seen.page.eval_on_selector_all(TEXTS, COLOURS)
        if contrast(ink, ground) < 4.5
    ]
    assert pale == [], "WCAG 2 asks for a contrast of 4.5"
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(ground) < 0.1) == (reader.get("color_scheme") == "dark")


@pytest.mark.parametrize("reader", ["phone-dark-no-scripts"], indirect=True)
def test_reloads_without_scripts_until_it_is_stopped(visit: Open, busy: Service) -> None:
    seen = visit(busy)
    seen.open("/")
    seen.page.get_by_role("link", name="reload every").click()
    with seen.page.expect_navigation(timeout=15_000):
        pass
    seen.page.get_by_role("link", name="stop").click()
    assert seen.page.url == f"{busy.url}/"


@pytest.mark.parametrize("reader", ["desk"], indirect=True)
def test_links_lead_somewhere(visit: Open, busy: Service) -> None:
    seen = visit(busy)
    seen.open("/")
    links = seen.page.eval_on_selector_all("nav a", "all => all.map(each => each.href)")
    assert f"{busy.url}/api/users" in links
    for link in links:
        assert requests.get(link, headers={"Accept": "text/html"}, timeout=10).status_code == 200, link


@pytest.mark.parametrize("reader", ["desk"], indirect=True)
def test_script_that_got_into_the_page_does_not_run(visit: Open, busy: Service) -> None:
    seen = visit(busy)
    seen.open("/")
    assert not seen.runs_an_inline_script()
    assert any("Content Security Policy" in error for error in seen.errors)
