"""Loaded by pytest before Django's settings (`-p` in pyproject.toml): what the settings require, for tests in this process.

Tests that start services of their own give them an environment of their own (common/tests/service.py).
"""

import os

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
