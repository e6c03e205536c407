"""Links in Markdown lead to a file and a heading; every page of docs/ is reachable from its index.

`make docs` checks docs/ as MkDocs reads it; this checks every page as GitHub shows it.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tools.run.services import ROOT

PAGES = [ROOT / name for name in subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).split()]

FOLDERS = "common|gateway_site|users_site|users_contract|packages|tools|bench|deploy"

_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")


def links(page: Path) -> list[tuple[Path, str]]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    return [((page.parent / path if path else page).resolve(), anchor) for path, anchor in _LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    broken = [
        f"{target}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))
    ]
    assert broken == []


def test_every_page_is_reachable_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "docs/README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [target for target, _ in links(page)]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= reached


def test_changes_of_the_tutorials_fit_the_code() -> None:
    """The lines that a `diff` block removes or keeps are in the file that is named before it, or those that it adds or keeps:
    the reader has followed the page."""
    for page in (ROOT / "docs/tutorials").glob("*.md"):
        path, missing = "", list[str]()
        for name, block in re.findall(
            r"`([\w/]+\.py)`|^```diff\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            path = name or path
            code = (ROOT / path).read_text("utf-8").splitlines() if block else []
            lines = [line for line in block.splitlines() if line[1:] not in code]
            before, after = ([line for line in lines if line[0] != other] for other in "+-")
            missing += before if after else []
        assert missing == [], f"{page.name}: {path}"


def test_programs_and_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    files = subprocess.check_output(["git", "ls-files", "*/test_*.py"], cwd=ROOT, text=True).split()
    tests = {name for file in files for name in re.findall(r"def (test_\w+)", (ROOT / file).read_text("utf-8"))}
    missing = []
    for page in PAGES:
        text = page.read_text("utf-8")
        missing += [(page.name, name) for name in re.findall(r"`(test_\w+)`", text) if name not in tests]
        modules = {name.replace(".", "/") for name in re.findall(r"python -m ((?:bench|tools|deploy)\.[\w.]*\w)", text)}
        programs = {*re.findall(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]+\.(?:sh|py|lua|yaml|json|toml|env)\b", text)}
        missing += [
            (page.name, name)
            for name in modules
            if not any(ROOT.glob(f"{name}.py")) and not any(ROOT.glob(f"{name}/__main__.py"))
        ]
        missing += [(page.name, name) for name in programs if not (ROOT / name).exists()]
        missing += [(page.name, name) for name in re.findall(r"[`\n]make ([a-z-]+)", text) if name not in targets]
    assert missing == []
