"""Every command: help with an example that names it, and one line for wrong usage."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from common.cli.console import Command
from tests.programs import MANAGE, manage
from tests.site import SITE
from tools.processes.service import ROOT

APPS = ("common", SITE)
OURS = sorted(name for name, app in get_commands().items() if app in APPS)


@pytest.mark.parametrize("name", OURS)
def test_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, Command), "it has its own kind of errors and help"
    with pytest.raises(SystemExit) as end:
        command.create_parser("manage.py", name).parse_args(["--help"])
    assert end.value.code == 0
    options, _, example = capsys.readouterr().out.partition("example:\n")
    assert not re.search(r"^  --[a-z-]+( \S+)?\n  -", options, re.MULTILINE), "an option without a word about it"
    assert f"manage.py {name}" in example or f"{MANAGE} {name}" in example


def test_the_list_is_that_of_the_files() -> None:
    files = {file.stem for app in APPS for file in (ROOT / app / "management/commands").glob("[a-z]*.py")}
    assert files == set(OURS)


def test_schema_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "schema.yaml"
    done = manage("spectacular", "--file", str(nowhere))
    assert done.returncode == 1
    assert done.stderr == f"error: {nowhere} cannot be written: No such file or directory\n"
