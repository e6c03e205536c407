"""docs/reference/problems.md agrees with the code."""

import re
from pathlib import Path

import pytest

from common.http.problem import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/problems.md").read_text()
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_every_code_has_its_section_and_there_is_no_other() -> None:
    assert set(SECTIONS) == set(KINDS)


@pytest.mark.parametrize("code", KINDS)
def test_a_section_gives_status_title_cure_and_retry_as_the_service_does(code: str) -> None:
    kind = KINDS[code]
    for text in (f"**{kind.status}** {kind.title}.", f"- What to do: {kind.cure}", f"- Retry: {kind.retry}."):
        assert text in SECTIONS[code]
