"""Wrong usage of `manage_*.py`: one line on stderr and exit code 2, for every command."""

from pathlib import Path

import pytest

from common import __version__
from common.tests.test_commands import OURS
from tests.programs import MANAGE, manage

pytestmark = pytest.mark.slow

WRONG = {
    "a command that is close to one": (["runservr"], "do you mean runserver?"),
    "a command like no other": (["xyzzy"], f"{MANAGE} help"),
    "an option of Django's check": (["check", "--nope"], "--nope"),
    "help for nothing": (["help", "xyzzy"], "xyzzy"),
}


@pytest.mark.parametrize(("words", "wanted"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line_and_needs_no_setting(words: list[str], wanted: str) -> None:
    done = manage(*words, PORT="x")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert wanted in line


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version_is_that_of_the_service(word: str) -> None:
    done = manage(word, PORT="x")
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_check_of_an_app_that_is_not_there_is_wrong_usage() -> None:
    done = manage("check", "nosuchapp", DEBUG="true", USER_SERVICE_URL="http://unused", REDIS_URL="redis://unused")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nosuchapp" in done.stderr


@pytest.mark.parametrize("words", [["help", "runserver"], ["check", "--help"]], ids=str)
def test_help_needs_no_setting(words: list[str]) -> None:
    done = manage(*words, PORT="x")
    assert (done.returncode, done.stderr) == (0, "")
    assert "runserver" in done.stdout or "check" in done.stdout


def test_help_lists_the_commands_that_this_project_has() -> None:
    listed = {line.split()[0] for line in manage(PORT="x").stdout.splitlines() if line.startswith("  ")}
    assert listed == set(OURS)


@pytest.mark.parametrize("name", ["check", "diffsettings", "runserver"])
def test_a_command_that_needs_a_setting_names_it(name: str) -> None:
    done = manage(name, DEBUG="false")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "is not set: " in line
    assert "`make run`" in line


def test_a_command_that_needs_none_runs_without(tmp_path: Path) -> None:
    done = manage("spectacular", "--file", str(tmp_path / "schema.yaml"), PORT="x")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "schema.yaml").read_text().startswith("openapi: 3.1")
