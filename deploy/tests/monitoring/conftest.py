"""The programs that these tests need: Debian's prometheus, prometheus-alertmanager, prometheus-redis-exporter."""

import os
import shutil

import pytest

PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus-redis-exporter": "prometheus-redis-exporter",
}


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker of tests that run a program from outside Python."""
    config.addinivalue_line("markers", "program(name, ...): skipped where it is not installed, failed where CI=true")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips, or in CI fails, tests whose program is missing."""
    for mark in item.iter_markers("program"):
        for name in mark.args:
            if shutil.which(name) is None:
                reason = f"{name} is not installed: apt-get install --no-install-recommends {PACKAGES[name]}"
                if os.environ.get("CI") == "true":
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)
