"""The restore drill: from a full store into an empty one, and it can fail."""

from pathlib import Path
from typing import Any

import pytest

from tools.drills.scenarios import restore


@pytest.mark.verify
@pytest.mark.timeout(280)
def test_drill_on_a_hundred_thousand_users(tmp_path: Path) -> None:
    """In CI (`make verify-restore`), which shows its output."""
    assert len(restore.restore(restore.USERS, tmp_path)) == 64


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
