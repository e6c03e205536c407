"""Uncaught exceptions and warnings are JSON lines on stdout, with the stack."""

import orjson
import pytest

from common.observability.json_logging import JSONFormatter
from tests.application import SECRET, application
from tests.in_process import call
from tests.programs import python
from tests.pytest_environment import REQUIRED
from tests.site import SITE

PROGRAM = """
import logging.config, sys, warnings
from django.conf import settings
from common.observability.json_logging import log_everything
logging.config.dictConfig(settings.LOGGING)
log_everything()
warnings.warn("this is old", DeprecationWarning)
raise RuntimeError("nobody caught this")
"""


def test_uncaught_exceptions_and_warnings_are_json_lines() -> None:
    done = python("-W", "always", "-c", PROGRAM, DJANGO_SETTINGS_MODULE=f"{SITE}.settings", **REQUIRED)
    warning, uncaught = (orjson.loads(line) for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (1, "")
    assert (warning["level"], warning["logger"]) == ("warning", "py.warnings")
    assert "this is old" in warning["message"]
    assert (uncaught["level"], uncaught["error.type"]) == ("critical", "RuntimeError")
    assert uncaught["error.message"] == "nobody caught this"
    assert uncaught["error.stack"].startswith("Traceback")


async def test_an_exception_in_a_view_is_logged_with_its_stack_and_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.handler.setFormatter(JSONFormatter("a-service", "1.0"))
    await call(application(), "/boom", headers=((b"x-request-id", b"it-broke"),))
    (line,) = [orjson.loads(line) for line in caplog.text.splitlines()]
    assert (line["error.type"], line["request_id"], line["level"]) == ("RuntimeError", "it-broke", "error")
    assert "in boom" in line["error.stack"]
    assert SECRET not in caplog.text
