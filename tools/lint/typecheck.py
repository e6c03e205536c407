"""Runs mypy with what the settings require: its Django plugin imports them. `python -m tools.lint.typecheck`."""

from mypy.__main__ import console_entry

import tests.pytest_environment  # noqa: F401 - sets the environment

console_entry()
