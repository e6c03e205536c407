"""Runs the gateway's commands in this process; as a shell does: common/tests/test_commands.py."""

import io

import pytest
from django.core.management import CommandError, call_command


def called(*words: object) -> tuple[str, str]:
    """What the command writes to stdout and stderr. Raises CommandError."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*map(str, words), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def failing(*words: object) -> tuple[str, CommandError]:
    """What the command writes to stdout, and its error."""
    out = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command(*map(str, words), stdout=out, stderr=io.StringIO())
    return out.getvalue(), error.value
