"""Importing a module reads no setting and builds nothing."""

import pytest

from tests.programs import python
from tests.pytest_environment import REQUIRED
from tools.processes.service import ROOT

FOLDERS = ("common/config", "common/observability", "common/server", "common/cli", "packages", "users_site/repository")
MODULES = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for file in sorted((ROOT / folder).rglob("*.py"))
    if "tests" not in file.relative_to(ROOT).parts and file.name not in {"settings.py", "__init__.py"}
]
"""Not the modules that build on DRF, which reads its settings when it is imported."""

SETTINGS = """
import sys
from importlib import import_module
import_module(sys.argv[1])
assert not {"prometheus_client", "django.http"} & sys.modules.keys()
"""

SCRIPT = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
from django.conf import settings
assert not settings.configured
"""


def test_modules_are_imported_without_settings() -> None:
    done = python("-c", SCRIPT, "users_site.asgi", "gateway_site.asgi", *MODULES)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("name", ["users_site.settings", "gateway_site.settings"])
def test_settings_import_no_metrics(name: str) -> None:
    """prometheus_client reads at its import whether there are several workers; the server says so after the settings."""
    done = python("-c", SETTINGS, name, **REQUIRED)
    assert done.returncode == 0, done.stderr[-2000:]
