"""Importing a module reads no setting and builds nothing."""

import os
import subprocess
import sys

import pytest

from tools.processes.service import ROOT

FOLDERS = ("common/config", "common/observability", "common/server", "common/cli", "packages", "users_site/repository")
MODULES = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for file in sorted((ROOT / folder).rglob("*.py"))
    if "tests" not in file.parts and file.name not in {"settings.py", "__init__.py"}
]
"""Not the modules that build on DRF, which reads its settings when it is imported."""

SCRIPT = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
from django.conf import settings
assert not settings.configured
"""


@pytest.mark.parametrize("names", [["users_site.asgi", "gateway_site.asgi"], MODULES], ids=["asgi", "modules"])
def test_modules_are_imported_without_settings(names: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
