"""The programs that tests run: our own Python to its end, and those that a machine may lack."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from tests.site import SITE
from tools.processes.service import ROOT

MANAGE = f"manage_{SITE.removesuffix('_site')}.py"


def python(*words: str, folder: Path | str = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python *words` with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "DATA_DIR"} or "COV" in name}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return python(MANAGE, *words, **environment)


def require(package: str, *programs: str) -> str:
    """The path of the first program that exists; `package` names their source."""
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        unavailable(f"none of {', '.join(programs)} is here: install {package}")
    return str(found)


def unavailable(reason: str) -> NoReturn:
    """Skips on a developer's machine and fails in CI."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)
