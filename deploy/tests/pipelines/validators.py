"""The programs and schemas that deploy/bin/validators.py brings where Go is."""

import os
import shutil

import pytest

from deploy.tests.pipelines.stage import ROOT

SCHEMAS = ROOT / "build" / "validators" / "schemas"


def validator(name: str) -> str:
    """The path of a Go program. Without it the test is skipped; it fails in CI if Go is there."""
    program = ROOT / "build" / "validators" / "bin" / name
    if not program.is_file():
        must = os.environ.get("CI") == "true" and shutil.which("go")
        (pytest.fail if must else pytest.skip)(f"{name} is not here: `make verify` builds it where Go is")
    return str(program)
