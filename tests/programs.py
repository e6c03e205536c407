"""Runs a Python program to its end, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

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
