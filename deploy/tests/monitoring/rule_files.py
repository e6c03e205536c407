"""The rule files, their tests, the runbooks and the rules' metrics, each parsed once."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = sorted(page for page in RUNBOOKS.glob("*.md") if page.stem != "README")
RULE_FILES = sorted((MONITORING / "rules").glob("*.rules.yaml"))
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))

NAME = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*)(?![\w:]*\s*\()")
KEYWORDS = {"and", "or", "unless", "by", "on", "without", "ignoring", "offset", "bool", "group_left", "group_right"}


@cache
def parsed(path: Path) -> dict[str, Any]:
    """A YAML file; shared, so a test that changes it needs a copy."""
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return document


def beside(path: Path) -> Path:
    return path.with_name(path.name.replace(".rules.yaml", ".rules.test.yaml"))


def rules(path: Path) -> list[dict[str, Any]]:
    return [rule for group in parsed(path)["groups"] for rule in group["rules"]]


def alerts() -> list[tuple[Path, dict[str, Any]]]:
    """Every alert with its file; one name may have several rules (windows)."""
    return [(path, rule) for path in RULE_FILES for rule in rules(path) if "alert" in rule]


@cache
def recorded() -> set[str]:
    return {rule["record"] for path in RULE_FILES for rule in rules(path) if "record" in rule}


def known_metrics() -> set[str]:
    """The first column of the table in README.md, with the series of histograms."""
    section = (MONITORING / "README.md").read_text().split("## Metrics the rules read")[1].split("\n## ")[0]
    known = {"up"}
    for row in re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE):
        known |= {row[0] + suffix for suffix in ("_bucket", "_count", "_sum")} if row[1] == "histogram" else {row[0]}
    return known


def names_read(query: str) -> set[str]:
    bare = re.sub(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b\d+[smhd]\b", " ", bare)
    return {name for name in NAME.findall(bare) if name not in KEYWORDS}
