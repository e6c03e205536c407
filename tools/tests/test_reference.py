"""docs/reference describes what the code has."""

import re

import pytest

from tools.docs import reference
from tools.run.services import ROOT

SETTINGS = [ROOT / name for name in ("common/config/settings.py", "gateway_site/settings.py", "users_site/settings.py")]


def test_the_page_of_settings_lists_every_setting_and_no_other() -> None:
    read = {
        name
        for path in SETTINGS
        for name in re.findall(r'environment\.\w+\(\s*"([A-Z_]+)"', path.read_text("utf-8"))
        if not name.endswith(("_", "_FILE")) or name == "AUTH_API_KEYS_FILE"
    }
    page = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[A-Z].*?) \| (?:both|gateway|user service) \|", page, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == read


@pytest.mark.parametrize("name", reference.PAGES)
def test_generated_pages_are_current(name: str) -> None:
    assert (reference.FOLDER / name).read_text("utf-8") == reference.PAGES[name](), "run `make schema`"
