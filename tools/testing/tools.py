"""Programs that tests need beside Python's own: missing on a developer's machine they skip, in CI they fail."""

import os
import shutil

import pytest


def require(package: str, *programs: str) -> str:
    """The path of the first of the programs that is there; `package` says where they come from."""
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        unavailable(f"none of {', '.join(programs)} is here: install {package}")
    return str(found)


def unavailable(reason: str) -> None:
    """Skips on a developer's machine and fails in CI."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)
