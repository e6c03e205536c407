"""Loaded by pytest before Django's settings (`-p` in pyproject.toml): the required settings, for tests in this process.

Tests that start services give them their own environment (tools/processes/service.py).
"""

import gc
import os
import signal

import pytest

REQUIRED = {
    "SECRET_KEY": "a key for tests only",
    "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
    "USER_SERVICE_URL": "http://127.0.0.1:1",
    "REDIS_URL": "redis://:none@127.0.0.1:1/0",
    "AUTH": "none",
    "DATA_DIR": "none",  # not that of a `make run` beside the tests
}
"""What a site requires; its dependency refuses."""

for name in ("DEBUG", "PORT", "HOST", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "DRAIN_SECONDS", "LOG_LEVEL"):
    os.environ.pop(name, None)
os.environ.update(REQUIRED)

# A process that a shell starts with `&` ignores these signals, and its children inherit that: services could not be stopped.
for number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


# The modules and tests that pytest collects live to the end: the garbage collector would look at them again and again,
# for a third of the collection's time.
@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.freeze()
    gc.enable()
