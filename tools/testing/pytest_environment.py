"""Loaded by pytest before Django's settings (`-p` in pyproject.toml): what the settings require, for tests in this process.

Tests that start services of their own give them an environment of their own (tools/testing/service.py).
"""

import os
import signal

REQUIRED = {
    "SECRET_KEY": "a key for tests only",
    "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
    "USER_SERVICE_URL": "http://127.0.0.1:1",
    "REDIS_URL": "redis://:none@127.0.0.1:1/0",
    "AUTH": "none",
}

for name in ("DEBUG", "PORT", "HOST", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "DRAIN_SECONDS", "LOG_LEVEL"):
    os.environ.pop(name, None)
os.environ.update(REQUIRED)

# What a shell starts with `&` is deaf to these, and hands that on: to services that tests stop by them.
for number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
