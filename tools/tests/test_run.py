"""A whole run: what it starts, and what remains."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tools.run.services import ROOT
from tools.tests.conftest import Run, request

pytestmark = pytest.mark.slow


def seeded(run: Run, count: int) -> object:
    """Adds users as a developer does in a second terminal, without settings of the store; returns their number."""
    command = [str(ROOT / "manage_users.py"), "seed_users", "--count", str(count)]
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(run.data_dir)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return request(run.users, "GET", "/users")[1]["count"]


def test_ctrl_c_or_the_end_of_one_process_stops_everything_and_the_data_outlives_it(start):
    run = start(PARTITIONS="16")  # the second terminal has it from the run
    run.wait_ready()
    assert request(run.gateway, "GET", "/health/ready")[0] == 200
    assert request(run.users, "GET", "/users")[1]["count"] == 100
    password = (run.data_dir / "password").read_text()
    assert not any(password in shown for shown in (run.output, *run.processes().values()))
    status, user = request(run.gateway, "POST", "/api/users", {"name": "Ada", "email": "ada@example.com"})
    assert status == 201
    assert seeded(run, 5) == 106
    assert run.stop(signal.SIGINT, group=True) == 0
    assert run.is_gone()
    assert run.errors == []

    again = start(PARTITIONS="16")
    again.wait_ready()
    assert request(again.gateway, "GET", f"/api/users/{user['id']}") == (200, user)
    assert request(again.users, "GET", "/users")[1]["count"] == 106
    users = min(pid for pid, command in again.processes().items() if "users_site.server" in command)
    os.kill(users, signal.SIGKILL)
    assert again.process.wait(30) == 1
    assert again.errors == ["error: user-service ended (SIGKILL); everything is stopped"]
    assert again.is_gone()

    other = start()
    assert other.process.wait(20) == 1
    assert "PARTITIONS is 1, but the store was made with 16: set PARTITIONS=16" in other.output
    assert other.errors == ["error: the store cannot be used: see the line above"]
    assert other.is_gone()


def test_example_settings_can_be_copied_and_every_line_put_in_force(start, tmp_path: Path):
    example = (ROOT / ".env.example").read_text()
    in_force = re.sub(r"^# (?=[A-Z_]+=)(?!REDIS_URL)", "", example, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(in_force)
    run = start(cwd=tmp_path, PYTHONPATH=str(ROOT))
    run.wait_ready()
    assert request(run.gateway, "GET", "/health/ready")[0] == 200
    assert len(re.findall("^[A-Z_]+=", in_force, re.MULTILINE)) >= 7
    assert run.stop(signal.SIGTERM) == 0
