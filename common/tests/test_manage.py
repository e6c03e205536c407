"""Wrong usage of `manage_*.py`: one line on stderr and exit code 2, whoever's the command is."""

import os
import subprocess
import sys

import pytest

from common.tests.test_settings import VALID
from tools.testing.service import ROOT
from tools.testing.site import SITE

MANAGE = f"manage_{SITE.removesuffix('_site')}.py"
WRONG = {
    "a command that is close to one": (["runservr"], "do you mean runserver?"),
    "a command like no other": (["xyzzy"], f"{MANAGE} help"),
    "an option of Django's check": (["check", "--nope"], "--nope"),
    "a second address": (["runserver", "1", "2"], "2"),
    "a file without a name": (["spectacular", "--file"], "--file"),
    "help for nothing": (["help", "xyzzy"], "xyzzy"),
}


def manage(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE")}
    command = [sys.executable, MANAGE, *words]
    return subprocess.run(
        command, cwd=ROOT, env={**inherited, **settings}, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(("words", "told"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line(words: list[str], told: str) -> None:
    done = manage(*words, **VALID)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert told in line


def test_a_missing_setting_is_told_before_an_unknown_command() -> None:
    done = manage("xyzzy")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "is not set" in line
