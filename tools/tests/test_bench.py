"""The benchmarks run and report completely. The tests ignore their figures, because the machine is noisy."""

import json
import subprocess
import sys
from collections.abc import Container
from pathlib import Path

import pytest

from bench.model import CARRIED
from bench.processes import target
from tools.processes.service import ROOT, service

pytestmark = pytest.mark.verify

SCENARIOS = ["read", "list", "create", "mixed", "direct-read", "empty", "redis"]


def bench(name: str, *arguments: str, codes: Container[int] = (0,)) -> str:
    return bench_of(name, "--connections", "4", *arguments, codes=codes)


def bench_of(name: str, *arguments: str, codes: Container[int] = (0,)) -> str:
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode in codes, done.stderr
    assert done.stdout, done.stderr  # exit code 1 may also be a crash
    return done.stdout


def test_a_run_leaves_figures_beside_both_floors(tmp_path: Path) -> None:
    out = bench("run", "--seconds", "0.2", "--rounds", "1", "--users", "30", "--results", str(tmp_path))
    (figures,) = tmp_path.glob("*.json")
    result = json.loads(figures.read_text())
    assert [row["scenario"] for row in result["rows"]] == SCENARIOS
    for row in result["rows"]:
        assert row["bad"] == 0, row
        assert row["rps"] > 0
        assert row["p50_ms"] <= row["p99_ms"]
        assert row["cpu_us_total"] > 0
        assert row["scenario"] in out
    assert {"redis", "users", "gateway"} == set(result["rows"][0]["cpu_us"]) == set(result["pss_mib"])


def test_scale_compares_partitions_with_the_floors(tmp_path: Path) -> None:
    figures = tmp_path / "scale.json"
    words = ("--partitions", "1,16", "--users", "400", "--primaries", "1,2", "--seconds", "0.2", "--rounds", "1")
    bench("scale", *words, "--results", str(figures), codes={0, 1})  # a short run may be above a target
    rows = json.loads(figures.read_text())["rows"]
    for name in ("read", "find", "create", "change", "first page", "pages"):
        for of_all, of_store, floor in zip(rows[name], rows[f"{name}, store"], rows[f"{name}, floor"], strict=True):
            assert of_all > of_store > 0 < floor
    assert all(value > 0 for name in ("bytes a user", "seeded a second", "exported a second") for value in rows[name])
    rules, cases, *charts = bench_of("model", str(figures)).split("\n\n")
    assert "connections of a process to a primary, 16 partitions | 2 | 2 | 1.00" in rules
    assert "bytes of 400 users in 16 partitions, from a tenth of them" in rules
    assert len(cases.splitlines()) == 2 + len(CARRIED)
    ratio = rows["pages"][2] / rows["pages"][0]
    assert f"line [1.00, {ratio:.2f}]" in charts[0]


@pytest.mark.parametrize("name", ["users", "gateway"])
def test_the_target_starts_what_is_measured(tmp_path: Path, name: str) -> None:
    settings = {"REDIS_URL": "redis://127.0.0.1:1", "USER_SERVICE_URL": "http://127.0.0.1:1", **target()["env"]}
    with service(f"{name}_site", tmp_path, **settings) as running:
        assert running.process.args == [sys.executable, *target()[name]["cmd"][1:]]


def test_soak_samples_memory_while_it_loads() -> None:
    _machine, _head, *samples, bad = bench("soak", "--requests", "50", "--samples", "1").splitlines()
    assert len(samples) == 2
    assert all("gateway" in sample for sample in samples)
    assert bad == "bad answers: 0"


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("guards", ["no guard", "API key, local limit", "JWT", "API key, limit in Redis"]),
        ("routes", ["one route", "ten routes", "from the cache"]),
    ],
)
def test_every_way_is_compared_to_the_first(name: str, ways: list[str]) -> None:
    # A bound may be exceeded: one short round proves nothing.
    out = bench(name, "--seconds", "0.2", "--rounds", "1", "--users", "30", codes={0, 1})
    assert [line[:26].strip() for line in out.splitlines()] == ways
