"""The rules' tests detect small mistakes in the rules: each of some 430 mutants makes them fail."""

import copy
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deploy.tests.monitoring.crowd import crowded
from deploy.tests.monitoring.rule_files import RULE_FILES, beside, parsed
from deploy.tests.programs import run

pytestmark = pytest.mark.verify

STRIDE = 1 if os.environ.get("MUTANTS") == "all" else 12
"""All of them take 3 minutes of two cores: `make verify` runs a twelfth."""
COMPARISONS = {">": "<=", ">=": "<", "<": ">=", "==": "!="}
WORDS = {
    " and ": " or ",
    " or ": " and ",
    " unless ": " and ",
    "sum by": "max by",
    "max by": "min by",
    "count by": "max by",
    "avg_over_time": "max_over_time",
    "sum_over_time": "avg_over_time",
    "max_over_time": "min_over_time",
}
NUMBER = re.compile(r"(?<![\w.:\"\[])(\d+(?:\.\d+)?)(?![\w.:\"])")
OURS = 'namespace=~"devops-challenge-.+"'
MATCHER = re.compile(r'(?<=[{ ])(?!namespace=)\w+ ?(?:=~|!~|!=|=)"[^"]*"(?:, )?')

Mutant = tuple[str, dict[str, Any]]
"""The rule and its mistake, and the whole rule file."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_every_mutant_turns_the_tests_red(path: Path) -> None:
    chosen = list(mutants(parsed(path)))[::STRIDE]
    assert chosen
    with ThreadPoolExecutor(2) as pool:
        alive = list(pool.map(partial(survives, path), (document for _, document in chosen)))
    assert [what for (what, _), lives in zip(chosen, alive, strict=True) if lives] == []


def survives(path: Path, document: dict[str, Any]) -> bool:
    """Whether the tests of the rule file still pass. Raises AssertionError for an invalid rule file."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / path.name).write_text(json.dumps(document))
        (folder / beside(path).name).write_text(json.dumps(crowded(path)))
        done = run("promtool", "test", "rules", folder / beside(path).name)
    assert "could not parse expression" not in done.stdout + done.stderr
    return done.returncode == 0


def mutants(document: dict[str, Any]) -> Iterator[Mutant]:
    for group_at, group in enumerate(document["groups"]):
        for rule_at, rule in enumerate(group["rules"]):
            for what, changed in changed_rules(rule):
                mutated = copy.deepcopy(document)
                mutated["groups"][group_at]["rules"][rule_at] = changed
                yield f"{name(rule)}: {what}", mutated


def name(rule: dict[str, Any]) -> str:
    """The alert's or recorded series' name, with the labels that set it apart."""
    labels = rule.get("labels", {})
    return " ".join([rule.get("alert") or rule["record"], *(labels[k] for k in ("slo", "long_window") if k in labels)])


def changed_rules(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for what, expression in dict(changed_expressions(rule["expr"])).items():
        yield what, {**rule, "expr": expression}
    if OURS in rule["expr"]:
        # In all places at once: if two series are joined, one matcher serves both.
        yield "any namespace", {**rule, "expr": rule["expr"].replace(OURS, 'namespace=~".+"')}
    if "for" in rule:
        yield "no for", {k: v for k, v in rule.items() if k != "for"}
        yield "twice the for", {**rule, "for": doubled(rule["for"])}
    if "severity" in rule.get("labels", {}):
        other = {"critical": "warning", "warning": "critical"}[rule["labels"]["severity"]]
        yield "severity", {**rule, "labels": {**rule["labels"], "severity": other}}


def changed_expressions(expression: str) -> Iterator[tuple[str, str]]:
    """One expression, once with each mistake; the text describes the change and its place."""
    for pattern, replacements in (
        (re.compile(r"(?<![=!<>~])(>=|<=|==|>|<)(?!=)"), lambda found: [COMPARISONS[found]]),
        (NUMBER, near),
        (MATCHER, lambda found: [""]),
        (re.compile(r"\[\d+[mhd]\]"), lambda found: [f"[{doubled(found[1:-1])}]"]),
        (re.compile(r"(?<=by \()[\w, ]+(?=\))"), one_less),
        (re.compile("|".join(WORDS)), lambda found: [WORDS[found]]),
    ):
        for match in pattern.finditer(expression):
            for replacement in replacements(match.group()):
                what = f"{match.group()!r} at {match.start()} -> {replacement!r}"
                yield what, expression[: match.start()] + replacement + expression[match.end() :]


def near(number: str) -> list[str]:
    """15 % above and below; a count of 3 or less is a step away."""
    value = float(number)
    if value == 0:
        return ["1"]
    if value <= 3 and value == int(value):
        return [str(int(value) + 1), str(int(value) - 1)]
    return [f"{value * 1.15:.6g}", f"{value * 0.85:.6g}"]


def doubled(duration: str) -> str:
    return f"{int(duration[:-1]) * 2}{duration[-1]}"


def one_less(labels: str) -> list[str]:
    given = labels.split(", ")
    return [", ".join(label for label in given if label != dropped) for dropped in given]
