"""Programs that tests need beside Python: a missing one skips on a developer's machine and fails in CI."""

import os
import shutil

import pytest


def require(package: str, *programs: str) -> str:
    """The path of the first program that exists; `package` names their source."""
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        unavailable(f"none of {', '.join(programs)} is here: install {package}")
    return str(found)


def unavailable(reason: str) -> None:
    """Skips on a developer's machine and fails in CI."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)
