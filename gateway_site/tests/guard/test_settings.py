"""A wrong setting of the guard stops the start with one line; libraries that no setting needs are not loaded."""

from pathlib import Path

import pytest

from common.config.environment import SettingError
from gateway_site.guard.api_keys import create
from gateway_site.guard.principal import READ
from tests.in_process import built, evaluated
from tests.programs import python
from tests.pytest_environment import REQUIRED

JWT = {"AUTH": "jwt", "AUTH_JWKS_URL": "https://issuer.example/keys", "AUTH_ISSUER": "i", "AUTH_AUDIENCE": "a"}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in JWT.items() if key != name}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "AUTH"),
        ({"AUTH": "basic"}, "AUTH"),
        ({"AUTH": "none,jwt"}, "AUTH"),
        ({"AUTH": ","}, "AUTH"),
        (without("AUTH_JWKS_URL"), "AUTH_JWKS_URL"),
        (without("AUTH_ISSUER"), "AUTH_ISSUER"),
        (without("AUTH_AUDIENCE"), "AUTH_AUDIENCE"),
        ({**JWT, "AUTH_JWKS_URL": "issuer.example/keys"}, "AUTH_JWKS_URL"),
        ({**JWT, "AUTH_JWKS_URL": "file:///etc/passwd"}, "AUTH_JWKS_URL"),
        ({**JWT, "AUTH_JWKS_URL": "https://user:pass@issuer.example/"}, "AUTH_JWKS_URL"),
        ({"AUTH": "apikey"}, "AUTH_API_KEYS_FILE"),
        ({"AUTH": "apikey", "AUTH_API_KEYS_FILE": "/nowhere/keys"}, "AUTH_API_KEYS_FILE"),
        ({"AUTH": "none", "RATE_LIMIT": "fast"}, "RATE_LIMIT"),
        ({"AUTH": "none", "RATE_LIMIT": "1/s", "RATE_LIMIT_STORE": "memcached://x"}, "RATE_LIMIT_STORE"),
        ({"AUTH": "none", "RATE_LIMIT": "1/s", "RATE_LIMIT_STORE": "redis://:hunter2@host:port"}, "RATE_LIMIT_STORE"),
        ({"AUTH": "none", "RATE_LIMIT": "1/s", "RATE_LIMIT_STORE": "redis://host/x"}, "RATE_LIMIT_STORE: the database"),
        ({"AUTH": "none", "RATE_LIMIT": "1/s", "RATE_LIMIT_STORE": "redis+cluster://a,b"}, "RATE_LIMIT_STORE is a cl"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "null"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "https://App.example.com"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "https://a.example/"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "https://a.example:443"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "MAX_ANSWER_BYTES": "1"}, "MAX_ANSWER_BYTES"),
    ],
    ids=str,
)
def test_a_missing_or_malformed_setting_is_one_line(settings: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError) as caught, built("gateway_site", **{"AUTH": "", **settings}):
        pass
    text = str(caught.value)
    assert text.startswith(named)
    assert "\n" not in text
    assert "hunter2" not in text


def test_a_malformed_file_of_keys_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(create("good", frozenset({READ}), None)[1] + "\nsecret-pasted-here\n")
    with (
        pytest.raises(SettingError, match=r"AUTH_API_KEYS_FILE .*line 2") as caught,
        built("gateway_site", AUTH="apikey", AUTH_API_KEYS_FILE=str(path)),
    ):
        pass
    assert "secret-pasted-here" not in str(caught.value)


PROGRAM = """
import sys
from gateway_site.asgi import application
application()
print("jwt" in sys.modules, "packages.redis_pipe" in sys.modules)
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"AUTH": "none"}, "False False"),
        ({**JWT, "RATE_LIMIT": "1/s"}, "True False"),
        ({"AUTH": "none", "RATE_LIMIT": "1/s", "RATE_LIMIT_STORE": "redis://localhost"}, "False True"),
    ],
)
def test_only_the_libraries_in_use_are_loaded(settings: dict[str, str], expected: str) -> None:
    done = python("-c", PROGRAM, DJANGO_SETTINGS_MODULE="gateway_site.settings", **{**REQUIRED, **settings})
    assert done.stdout.strip() == expected, done.stderr


def test_the_audit_is_logged_at_every_level() -> None:
    assert evaluated("gateway_site", LOG_LEVEL="error")["LOGGING"]["loggers"]["audit"]["level"] == "INFO"
