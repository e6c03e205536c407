"""Passwords in messages of every logger, ours, the server's and the libraries': none is logged, and every line is JSON."""

import json

from common.tests.test_masks import LEAKS, SECRET
from tests.programs import python
from tests.site import NOWHERE, SITE

SCRIPT = """
import importlib, json, logging, sys, warnings
site, leaks = sys.argv[1], json.loads(sys.argv[2])
importlib.import_module("common.server.worker")
importlib.import_module(f"{site}.asgi").application()
from gunicorn.config import Config
from gunicorn.glogging import Logger
from common.server.gunicorn import gunicorn_settings
config = Config()
for name, value in gunicorn_settings(site).items():
    config.set(name, value)
server = Logger(config)
names = [name for name in logging.root.manager.loggerDict]
def throw(log):
    for leak in leaks:
        log(leak)
        log("a %s b", leak)
        log("fields", extra={"fields": {"plain": leak, "nested": [{"x": leak}]}})
        try:
            raise ValueError(leak)
        except ValueError:
            log("failed", exc_info=True)
for name in ["", *names, "one.that.comes.later"]:
    throw(logging.getLogger(name).error)
for method in (server.error, server.warning, server.info, server.critical, server.exception):
    method(leaks[0])
for number, leak in enumerate(leaks):
    warnings.warn_explicit(leak, UserWarning, "here", number)
print(json.dumps(names), file=sys.stderr)
"""
EXPECTED = {
    "access",
    "gunicorn.error",
    "gunicorn.access",
    "uvicorn.error",
    "django.request",
    "django.server",
    "asyncio",
}


def test_no_logger_lets_a_secret_out() -> None:
    settings = {**NOWHERE, "SECRET_KEY": SECRET, "ALLOWED_HOSTS": "x", "DJANGO_SETTINGS_MODULE": f"{SITE}.settings"}
    done = python("-W", "always", "-c", SCRIPT, SITE, json.dumps(LEAKS), **settings)
    assert done.returncode == 0, done.stderr[-3000:]
    *others, names = done.stderr.splitlines()
    assert others == []
    assert set(json.loads(names)) >= EXPECTED
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    assert {line["logger"] for line in lines} >= {"root", "py.warnings", "one.that.comes.later", *json.loads(names)}
    assert SECRET not in done.stdout
