"""The restore drill, as `make drill` runs it: from a full store into an empty one, and it can fail."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.drills import restore
from tools.processes.service import ROOT


@pytest.mark.verify
def test_drill_on_a_hundred_thousand_users(environment: dict[str, str]) -> None:
    """In CI (`make verify-restore`), which shows its output."""
    command = [sys.executable, "-m", "tools.drills.restore", "100000"]
    subprocess.run(command, cwd=ROOT, env=environment, timeout=280, check=True)


def test_drill_fails_when_the_restored_store_is_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    true_step = restore.step

    def step(name: str, url: str, *command: str) -> dict[str, Any]:
        result = true_step(name, url, *command)
        if name == "import":  # a concurrent write to the restored store
            true_step("intruder", url, "seed_users", "--count", "1")
        return result

    monkeypatch.setattr(restore, "step", step)
    with pytest.raises(restore.DrillError, match="51 records"):
        restore.drill(50, tmp_path)
