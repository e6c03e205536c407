"""The programs in docs/how-to/clients.md: the code blocks of one language, in their order."""

import re

from tools.run.services import ROOT

PAGE = ROOT / "docs" / "how-to" / "clients.md"


def program(language: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(blocks)
