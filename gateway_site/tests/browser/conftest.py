"""A real browser on the pair (`make verify-browser`): Debian's chromium, driven by playwright, a new profile each time."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.programs import require, unavailable
from tools.processes.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Response

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOADS = 5
"""Chromium drops what it loads whenever this machine gets or loses a network interface, as with each container."""

MILLISECONDS = 20_000
"""For anything the page is to show."""


class Visit:
    """A browser's page at a site: the errors of its console, and the status and URL of each answer."""

    def __init__(self, page: "Page", site: Service) -> None:
        self.page, self.url = page, site.url
        self.errors: list[str] = []
        self.answers: list[tuple[int, str]] = []
        self._is_disturbed = False
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("response", self._record)

    def open(self, path: str) -> None:
        """Goes there and waits until everything has loaded."""
        for _ in range(LOADS):
            self._is_disturbed = False
            self.page.goto(self.url + path, wait_until="networkidle")
            if not self._is_disturbed:
                return

    def assert_whole(self) -> None:
        """The site alone was asked, and answered."""
        assert self.errors == []
        assert {urlsplit(url).netloc for _, url in self.answers} == {urlsplit(self.url).netloc}
        assert {status for status, _ in self.answers} == {200}

    def text(self) -> str:
        """The visible text."""
        return self.page.inner_text("body")

    def _record(self, answer: "Response") -> None:
        if urlsplit(answer.url).path != "/favicon.ico" and not answer.url.startswith("data:"):
            self.answers.append((answer.status, answer.url))

    def _note(self, message: "ConsoleMessage") -> None:
        """Records an error of the console; not the favicon, which browsers request on their own."""
        if message.type != "error" or message.location["url"].endswith("/favicon.ico"):
            return
        if "ERR_NETWORK_CHANGED" in message.text:
            self._is_disturbed = True
        else:
            self.errors.append(message.text)


Open = Callable[[Service], Visit]


def barriers(visit: Visit) -> str:
    """What axe finds on the page: rules of WCAG 2; "" for nothing."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(visit.page)
    return f"{visit.page.url}: {found.generate_report()}" if found.violations_count else ""


@pytest.fixture(scope="session")
def executable() -> str:
    """The browser."""
    if find_spec("playwright") is None:
        unavailable("no playwright: run `make verify-browser`, which installs it")
    return require("the package chromium", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def reader() -> dict[str, Any]:
    """The reader's settings in playwright's terms: screen, colour scheme, scripts on or off."""
    return {}


@pytest.fixture
def visit(executable: str, tmp_path: Path, reader: dict[str, Any]) -> Iterator[Open]:
    """Opens the browser on a service's site."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = {"viewport": {"width": 1280, "height": 1600}} | reader
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=executable, args=FLAGS, **options
        )
        context.set_default_timeout(MILLISECONDS)

        yield lambda site: Visit(context.pages[0], site)
        context.close()
