"""MkDocs: a link from docs/ to another folder of the repository becomes a link to the file on GitHub."""

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Called by MkDocs for each page; a link to a missing file stops `make docs`."""
    docs = Path(config["docs_dir"]).resolve()
    folder = (docs / page.file.src_uri).parent

    def outside(link: re.Match[str]) -> str:
        target = (folder / link[1]).resolve()
        if target.is_relative_to(docs) and target != docs:
            return link[0]
        if not target.exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {link[1]}")
        return f"{config['repo_url']}/blob/main/{target.relative_to(docs.parent)}{link[2] or ''}"

    return _LINK.sub(outside, markdown)
