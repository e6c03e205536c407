"""Loads a service and measures the CPU of each process."""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import processes
from tools.processes.service import ROOT


def parser(text: str | None, seconds: float, rounds: int, users: Any = 1000) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--seconds", type=float, default=seconds, help="seconds per load")
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--connections", type=int, default=32)
    made.add_argument("--users", type=type(users), default=users)
    return made


def measure(
    scenario: str, port: int, running: dict[str, int], args: Any, lines: Path, field: str = ""
) -> dict[str, Any]:
    """After a warm-up of at most a second: rps, latencies in ms, and `cpu_us`, the CPU per request of each process."""
    load(scenario, port, args.connections, min(1, args.seconds), lines, field)
    before = {name: processes.cpu_seconds(pid) for name, pid in running.items()}
    outcome = load(scenario, port, args.connections, args.seconds, lines, field)
    outcome["cpu_us"] = {
        name: round((processes.cpu_seconds(pid) - before[name]) / outcome["requests"] * 1e6, 1)
        for name, pid in running.items()
    }
    return outcome


def load(scenario: str, port: int, connections: int, seconds: float, lines: Path, field: str = "") -> dict[str, Any]:
    words = [str(word) for word in (port, scenario, connections, seconds, lines, field)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", *words],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=seconds + 60,
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
    ]
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"
