"""The generated clients at the running pair (`make verify-clients`): each does what its exercise says, and type-checks."""

import os
import subprocess
import sys

import pytest

from common.tests.service import Service
from common.tests.tools import require
from dev.clients.__main__ import SOURCES, TARGET, main

pytestmark = [pytest.mark.verify, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def made() -> None:
    """Both, as `make client` makes them: with mypy --strict and tsc --strict."""
    require("Node.js 18 or newer", "npm")
    assert main() == 0


def exercise(*command: str, **environment: str) -> str:
    """What an exercise says."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_python_client_works(gateway_service: Service) -> None:
    said = exercise(
        sys.executable, str(SOURCES / "exercise.py"), gateway_service.url, PYTHONPATH=str(TARGET / "python")
    )
    assert said == "the Python client works\n"


def test_typescript_client_works(gateway_service: Service) -> None:
    said = exercise("node", str(TARGET / "typescript" / "dist" / "exercise.js"), gateway_service.url)
    assert said == "the TypeScript client works\n"
