"""Ways to run the gateway's commands: in this process, and as a shell does."""

import io
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.core.management import call_command

from tools.processes.service import ROOT

COMMAND_SECONDS = 60


def called(*words: str) -> tuple[str, str]:
    """What the command writes to stdout and stderr. Raises CommandError."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def shell() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs `manage_gateway.py` as a shell does, without a terminal."""
    environment = {
        name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "DATA_DIR"} or "COV" in name
    }
    environment |= {"DEBUG": "false", "SECRET_KEY": "a key for tests only", "ALLOWED_HOSTS": "127.0.0.1"}
    environment |= {"USER_SERVICE_URL": "http://127.0.0.1:1", "AUTH": "none"}

    def call(*command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage_gateway.py", *command],
            cwd=ROOT,
            env=environment | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    return call
