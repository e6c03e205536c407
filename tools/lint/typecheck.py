"""Runs mypy with the required settings: its Django plugin imports the settings modules. `python -m
tools.lint.typecheck`."""

from mypy.__main__ import console_entry

import tests.pytest_environment  # noqa: F401 - sets the environment

console_entry()
