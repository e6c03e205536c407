"""The tests of a rule file, each in a Prometheus with other series.

Another team has the same series and fails in the same way. A second environment of ours is healthy. A test that stays
silent has the failing team beside it. The expectations do not change.
"""

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from deploy.tests.monitoring.rule_files import beside, parsed, recorded

OURS = "devops-challenge-"
Test = dict[str, Any]
Series = dict[str, str]


@cache
def crowded(path: Path) -> dict[str, Any]:
    document = copy.deepcopy(parsed(beside(path)))
    plain = parsed(beside(path))["tests"]
    for test, own in zip(document["tests"], plain, strict=True):
        pairs = list(partners(own, plain))
        is_silent = "silent just below" in own["name"]
        failing = pairs if is_silent else [own]
        test["input_series"] += moved((each for one in failing for each in one["input_series"]), "another-team-")
        if not is_silent:
            test["input_series"] += moved((each for one in pairs for each in one["input_series"]), f"{OURS}calm-")
    return document


def partners(test: Test, tests: list[Test]) -> Iterator[Test]:
    """Other tests of the same alerts and windows: silent ones for a test that fires, firing ones for a silent test."""
    alerts = {case["alertname"] for case in test.get("alert_rule_test", ())}
    window = re.findall(r"over (\w+)", test["name"])
    for other in tests:
        same = alerts & {case["alertname"] for case in other.get("alert_rule_test", ())}
        is_other_kind = ("silent just below" in other["name"]) != ("silent just below" in test["name"])
        if same and is_other_kind and window == re.findall(r"over (\w+)", other["name"]):
            yield other


def moved(series: Iterator[Series], prefix: str) -> list[Series]:
    """Our raw series under namespaces with another prefix. These rules record series of ours only."""
    wanted = (each for each in series if OURS in each["series"])
    if not prefix.startswith(OURS):
        wanted = (each for each in wanted if each["series"].split("{")[0] not in recorded())
    return [{**each, "series": each["series"].replace(OURS, prefix)} for each in wanted]
