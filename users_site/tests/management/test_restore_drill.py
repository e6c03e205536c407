"""The restore drill: from a full store into an empty one, and it can fail."""

from pathlib import Path
from typing import Any

import pytest

from tools.drills.scenarios import restore


@pytest.mark.parametrize("count", [500, pytest.param(100_000, marks=[pytest.mark.verify, pytest.mark.timeout(280)])])
def test_drill_restores_every_byte(tmp_path: Path, count: int) -> None:
    assert len(restore.restore(count, tmp_path)) == 64


def test_drill_fails_when_the_restored_store_is_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    true_step = restore.step

    def step(name: str, url: str, *command: str) -> dict[str, Any]:
        result = true_step(name, url, *command)
        if name == "import":  # a concurrent write to the restored store
            true_step("intruder", url, "seed_users", "--count", "1")
        return result

    monkeypatch.setattr(restore, "step", step)
    with pytest.raises(restore.StepError, match="51 records"):
        restore.restore(50, tmp_path)
