"""Runs the gateway's commands in this process; as a shell does: common/tests/test_commands.py."""

import io

from django.core.management import call_command


def called(*words: str) -> tuple[str, str]:
    """What the command writes to stdout and stderr. Raises CommandError."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()
