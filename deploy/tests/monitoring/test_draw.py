"""The pictures' arithmetic, and what the command says when there is no Prometheus."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.monitoring.draw import everything, label, numbers, readable, ticks, unbroken
from deploy.tests.monitoring.rule_files import ROOT
from tools.testing.service import free_port


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0"),
        (0.0125, "percentunit", "1.25 %"),
        (0.0042, "s", "4.2 ms"),
        (1.5, "s", "1.5 s"),
        (0.00007, "s", "70 µs"),
        (5 * 2**20, "bytes", "5 MiB"),
        (1234.5, "reqps", "1234 /s"),
        (-19, "short", "-19"),
    ],
)
def test_values_are_written_with_their_unit(value: float, unit: str, text: str) -> None:
    assert readable(value, unit) == text


@given(st.lists(st.floats(-1e9, 1e9).map(lambda value: round(value, 6)), min_size=1))
def test_the_axis_encloses_every_value_and_zero_in_a_few_round_steps(values: list[float]) -> None:
    marks = ticks(values)
    slack = 1e-6 * max(1.0, *map(abs, values))
    assert marks[0] <= min(0.0, *values) + slack
    assert marks[-1] >= max(0.0, *values) - slack
    assert 2 <= len(marks) <= 7
    assert all(math.isfinite(mark) for mark in marks)


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    points = [(0.0, 1.0), (1.0, 1.0), (5.0, 1.0)]
    assert unbroken(points, 1.5) == [[(0.0, 1.0), (1.0, 1.0)], [(5.0, 1.0)]]


def test_what_is_no_number_is_not_drawn() -> None:
    assert numbers([(0, "NaN"), (1, "+Inf"), (2, "3")]) == [(2, 3.0)]


def test_legends_and_variables_are_filled_in() -> None:
    assert label("{{service}} p99", {"service": "x", "le": "1"}) == "x p99"
    assert label("__auto", {"__name__": "up", "a": "b"}) == "a=b"
    assert (
        everything('up{namespace=~"$namespace", service=~"$service"}')
        == 'up{namespace=~".*", service=~"api-gateway|user-service"}'
    )


def test_no_prometheus_is_one_line(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "deploy.monitoring.draw", "--prometheus", url, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {url}: ")
    assert done.stderr.count("\n") == 1
