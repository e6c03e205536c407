"""Every alert is tested both ways, described, and explained by a runbook."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.conftest import Load
from deploy.tests.monitoring.crowd import crowded
from deploy.tests.monitoring.rule_files import (
    DASHBOARDS,
    MONITORING,
    PAGES,
    RULE_FILES,
    RUNBOOKS,
    alerts,
    beside,
    known_metrics,
    names_read,
    parsed,
    recorded,
    rules,
)
from deploy.tests.programs import run, succeeded

pytestmark = pytest.mark.slow

SEVERITIES = {"critical", "warning"}
BASE = "https://github.com/devops-challenge/users-gateway/blob/main/docs/runbooks/"
ALERTS = alerts()
by_file = pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
by_alert = pytest.mark.parametrize(
    ("path", "rule"), ALERTS, ids=lambda value: value.get("alert") if isinstance(value, dict) else ""
)


@by_file
def test_promtool_accepts_the_rules(path: Path) -> None:
    succeeded(run("promtool", "check", "rules", "--lint=all", "--lint-fatal", path))


@pytest.mark.parametrize("severity", sorted(SEVERITIES))
def test_each_severity_has_a_receiver_of_its_name(severity: str) -> None:
    configuration = f"--config.file={MONITORING / 'alertmanager.yaml'}"
    done = run("amtool", "config", "routes", "test", configuration, f"severity={severity}")
    assert done.stdout.strip() == severity, done.stdout + done.stderr


@by_file
def test_alerts_ring_for_the_failing_environment_alone(path: Path, tmp_path: Path) -> None:
    """The tests beside the rules pass while a healthy environment and a failing team share the Prometheus."""
    (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / beside(path).name).write_text(json.dumps(crowded(path)))  # which is YAML, and ten times as fast
    succeeded(run("promtool", "test", "rules", tmp_path / beside(path).name))


@by_file
def test_each_alert_is_tried_beside_a_healthy_environment_and_a_failing_team(path: Path) -> None:
    tests = crowded(path)["tests"]
    for alert in {rule["alert"] for rule in rules(path) if "alert" in rule}:
        firing = [test for test in tests if re.search(rf"\b{alert}\b(?!.* silent)", test["name"])]
        series = str([each["series"] for test in firing for each in test["input_series"]])
        assert "devops-challenge-calm-" in series, alert
        assert "another-team-" in series or path.name == "burn.rules.yaml", "its series are recorded, of ours alone"


def test_an_environment_that_was_never_scraped_is_missed_by_its_own_rule(load: Load, tmp_path: Path) -> None:
    for overlay in ("dev", "prod"):
        (rule,) = load(overlay, ("monitoring",)).of("PrometheusRule")
        (tmp_path / f"{overlay}.rules.yaml").write_text(yaml.safe_dump(rule.spec))
    up = 'up{{namespace="{}", service="{}"}}'
    series = [("devops-challenge-dev", name) for name in ("api-gateway", "user-service")] + [
        ("another-team", "api-gateway")
    ]
    missing = [{"namespace": "devops-challenge-prod", "service": name} for name in ("api-gateway", "user-service")]
    count = 'count by (namespace, service) (ALERTS{alertstate="firing"})'
    samples = [{"labels": "{" + ", ".join(f'{k}="{v}"' for k, v in each.items()) + "}", "value": 1} for each in missing]
    test = {
        "interval": "30s",
        "input_series": [{"series": up.format(*each), "values": "1+0x20"} for each in series],
        "promql_expr_test": [{"expr": count, "eval_time": "6m", "exp_samples": samples}],
    }
    document = {"rule_files": ["dev.rules.yaml", "prod.rules.yaml"], "evaluation_interval": "30s", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    succeeded(run("promtool", "test", "rules", tmp_path / "test.yaml"))


@by_file
def test_the_test_file_tests_this_rule_file_alone(path: Path) -> None:
    assert parsed(beside(path))["rule_files"] == [path.name]


def firing(case: dict[str, Any], rule: dict[str, Any]) -> bool:
    expected = [alert["exp_labels"] for alert in case["exp_alerts"]]
    return case["alertname"] == rule["alert"] and any(rule["labels"].items() <= labels.items() for labels in expected)


def cases(path: Path, alert: str) -> list[list[dict[str, Any]]]:
    found = [
        [case for case in test.get("alert_rule_test", []) if case["alertname"] == alert]
        for test in parsed(beside(path))["tests"]
    ]
    return [sorted(test, key=lambda case: seconds(case["eval_time"])) for test in found if test]


def seconds(duration: str) -> int:
    """`90s`, `5m`, `1h` in seconds."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


@by_alert
def test_the_alert_is_tested_to_fire_and_to_resolve(path: Path, rule: dict[str, Any]) -> None:
    fires_then_rests = [
        test
        for test in cases(path, rule["alert"])
        if any(firing(case, rule) for case in test) and not test[-1]["exp_alerts"]
    ]
    assert fires_then_rests


@by_alert
def test_the_alert_is_tested_to_stay_silent_just_below(path: Path, rule: dict[str, Any]) -> None:
    silent = [
        test
        for test in parsed(beside(path))["tests"]
        if re.search(rf"\b{rule['alert']}\b.* silent just below", test["name"])
        and rule["labels"].get("long_window", "") in test["name"]
    ]
    assert len(silent) == 1
    after = [case for case in silent[0]["alert_rule_test"] if case["alertname"] == rule["alert"]]
    assert [case["exp_alerts"] for case in after] == [[]] * len(after)
    assert max(seconds(case["eval_time"]) for case in after) >= seconds(rule.get("for", "0s"))


@by_alert
def test_the_alert_says_what_and_where_to_look(path: Path, rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard"}
    assert annotations["runbook_url"] == f"{BASE}{rule['alert']}.md"
    uid = re.fullmatch(r"/d/([\w-]+)(\?var-service=\{\{ \$labels\.service \}\})?", annotations["dashboard"])
    assert uid is not None
    assert uid[1] in {dashboard.stem for dashboard in DASHBOARDS}


@by_alert
def test_the_templates_use_no_label_that_only_the_rule_sets(path: Path, rule: dict[str, Any]) -> None:
    """`$labels` in an annotation are the series' own: a label that the rule adds is empty there."""
    used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert not used & set(rule["labels"])


def test_alerts_and_runbooks_are_one_to_one() -> None:
    assert {rule["alert"] for _, rule in ALERTS} == {page.stem for page in PAGES}


def test_the_index_lists_every_runbook_with_its_severities() -> None:
    listed = re.findall(
        r"^\| \[(\w+)\]\((\w+)\.md\) \| ([\w, ]+) \|", (RUNBOOKS / "README.md").read_text(), re.MULTILINE
    )
    severities = {page.stem: {r["labels"]["severity"] for _, r in ALERTS if r["alert"] == page.stem} for page in PAGES}
    assert {name: set(said.split(", ")) for name, link, said in listed if name == link} == severities


HEADINGS = [
    "What it means",
    "What the client sees",
    "First three commands",
    "Which cause",
    "Stop the bleeding",
    "Over when",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_answers_the_six_questions(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    first = text.split("## First three commands")[1].split("\n## ")[0]
    commands = [line for line in first.split("```sh\n")[1].split("```")[0].splitlines() if not line.startswith("#")]
    assert len(commands) == 3


@by_file
def test_the_rules_read_only_exported_metrics(path: Path) -> None:
    for rule in rules(path):
        unknown = names_read(rule["expr"]) - known_metrics() - recorded()
        assert not unknown, f"{rule.get('alert') or rule['record']} reads {unknown}: README.md lists none of them"


def test_nothing_is_declared_that_no_rule_and_no_panel_reads() -> None:
    everything = "".join(path.read_text() for path in (*RULE_FILES, *DASHBOARDS))
    assert not {name for name in known_metrics() if name.removesuffix("_sum").removesuffix("_count") not in everything}
