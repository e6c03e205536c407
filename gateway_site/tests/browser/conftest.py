"""A real browser on the pair (`make verify-browser`): Debian's chromium, driven by playwright, a new profile each time."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.tools import require, unavailable
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


@dataclass
class Visit:
    """A page in the browser, with the errors of its console and the hosts of its requests."""

    page: "Page"
    url: str
    errors: list[str] = field(default_factory=list)
    disturbed: bool = False
    answers: list[tuple[int, str]] = field(default_factory=list)

    def record(self, answer: "Response") -> None:
        if urlsplit(answer.url).path != "/favicon.ico" and not answer.url.startswith("data:"):
            self.answers.append((answer.status, answer.url))

    def open(self, path: str) -> None:
        """Goes there and waits until everything has loaded."""
        for _ in range(LOADS):
            self.disturbed = False
            self.page.goto(self.url + path, wait_until="networkidle")
            if not self.disturbed:
                return

    def note(self, message: "ConsoleMessage") -> None:
        """Records an error of the console; not the favicon, which browsers request on their own."""
        if message.type != "error" or message.location["url"].endswith("/favicon.ico"):
            return
        if "ERR_NETWORK_CHANGED" in message.text:
            self.disturbed = True
        else:
            self.errors.append(message.text)

    def text(self) -> str:
        """The visible text."""
        return self.page.inner_text("body")

    def runs_an_inline_script(self) -> bool:
        """Whether an injected script runs."""
        self.page.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
        }""")
        return self.page.evaluate("window.ran") is not None

    @property
    def hosts(self) -> set[str]:
        """Every requested host."""
        return {urlsplit(url).netloc for _, url in self.answers}

    @property
    def statuses(self) -> set[int]:
        """Every status of an answer."""
        return {status for status, _ in self.answers}


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
def visit(executable: str, tmp_path: Path, reader: dict[str, Any]) -> Iterator[Callable[[Service], Visit]]:
    """Opens the browser on a service's site."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = {"viewport": {"width": 1280, "height": 1600}} | reader
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=executable, args=FLAGS, **options
        )
        context.set_default_timeout(MILLISECONDS)

        def _visit(site: Service) -> Visit:
            made = Visit(context.pages[0], site.url)
            made.page.on("console", made.note)
            made.page.on("pageerror", lambda error: made.errors.append(str(error)))
            made.page.on("response", made.record)
            return made

        yield _visit
        pictures = os.environ.get("SCREENSHOTS")
        if pictures:
            context.pages[0].screenshot(path=Path(pictures) / f"{tmp_path.name}.png", full_page=True)
        context.close()
