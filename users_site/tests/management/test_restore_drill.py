"""The restore drill: from a full store into an empty one, and it can fail."""

from pathlib import Path
from typing import Any

import pytest

from tools.drills.scenarios import restore
from users_site.tests.management.conftest import Argv, parsed


@pytest.mark.verify
@pytest.mark.timeout(280)
def test_drill_on_a_hundred_thousand_users(tmp_path: Path) -> None:
    """In CI (`make verify-restore`), which shows its output."""
    assert len(restore.restore(restore.USERS, tmp_path)) == 64


@pytest.mark.parametrize("is_restored", [True, False])
def test_drill_fails_when_the_restored_store_is_another(
    argv: Argv, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_restored: bool
) -> None:
    def step(name: str, url: str, *command: str) -> Any:
        settings.REDIS_URL = url
        done = argv(*command)
        assert done.returncode == 0, done.stderr
        if name == "import" and not is_restored:  # a concurrent write to the restored store
            argv("seed_users", "--count", "1")
        return parsed(done.stdout) if done.stdout else {}

    monkeypatch.setattr(restore, "step", step)
    if is_restored:
        assert len(restore.restore(50, tmp_path)) == 64
        return
    with pytest.raises(restore.StepError, match="51 records"):
        restore.restore(50, tmp_path)
