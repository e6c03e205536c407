"""A guard that is set wrongly stops the start with one line; a guard that is not asked for is not there."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway_site.guard.api_keys import create
from gateway_site.guard.principal import READ
from tools.testing.service import ROOT, Service

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
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "null"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "https://App.example.com"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "https://a.example/"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "CORS_ALLOWED_ORIGINS": "https://a.example:443"}, "CORS_ALLOWED_ORIGINS"),
        ({"AUTH": "none", "MAX_ANSWER_BYTES": "1"}, "MAX_ANSWER_BYTES"),
    ],
    ids=str,
)
def test_a_missing_or_malformed_setting_is_one_line(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    failing = Service("gateway_site", tmp_path, USER_SERVICE_URL="http://127.0.0.1:1", **settings)
    assert failing.process.wait(30) != 0
    lines = [line for line in failing.errors.read_text().splitlines() if line]
    assert len(lines) == 1
    assert named in lines[0]
    assert "hunter2" not in lines[0] + failing.log.read_text()


def test_a_malformed_file_of_keys_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(create("good", frozenset({READ}), None)[1] + "\nsecret-pasted-here\n")
    failing = Service(
        "gateway_site", tmp_path, USER_SERVICE_URL="http://127.0.0.1:1", AUTH="apikey", AUTH_API_KEYS_FILE=str(path)
    )
    assert failing.process.wait(30) != 0
    said = failing.errors.read_text()
    assert said.count("\n") == 1
    assert "AUTH_API_KEYS_FILE" in said
    assert "line 2" in said
    assert "secret-pasted-here" not in said + failing.log.read_text()


PROGRAM = """
import sys
from gateway_site.asgi import application
application()
from gateway_site.forwarding import view as views
guard = sorted(name for name in sys.modules if name.startswith("gateway_site.guard."))
print(views.users is views.forward, "jwt" in sys.modules, "redis" in sys.modules, *guard)
"""


def loaded(**settings: str) -> list[str]:
    """Whether the view is the bare one, whether PyJWT and redis-py are loaded, and the guard's modules."""
    environment = {
        "SECRET_KEY": "a key for tests only",
        "ALLOWED_HOSTS": "localhost",
        "USER_SERVICE_URL": "http://127.0.0.1:1",
        "DJANGO_SETTINGS_MODULE": "gateway_site.settings",
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_is_off_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    assert loaded(AUTH="none") == ["True", "False", "False", "gateway_site.guard.rate", "gateway_site.guard.scrape"]
    assert loaded(AUTH="none", RATE_LIMIT="1/s")[:3] == ["False", "False", "False"]
    assert loaded(AUTH="apikey", AUTH_API_KEYS_FILE=str(tmp_path / "keys"))[:3] == ["False", "False", "False"]
    assert loaded(**JWT)[:3] == ["False", "True", "False"]
    assert loaded(AUTH="none", RATE_LIMIT="1/s", RATE_LIMIT_STORE="redis://localhost")[:3] == ["False", "False", "True"]


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis://rate-limit:6379/0", "redis://:p%2F%40ss@rate-limit:6379/0"),
        ("rediss://gateway@rate-limit", "rediss://gateway:p%2F%40ss@rate-limit"),
        ("redis://:own@rate-limit", "redis://:own@rate-limit"),
        ("unix:///run/redis.sock", "unix://:p%2F%40ss@/run/redis.sock"),
        ("local", "local"),
    ],
)
def test_password_of_the_store_may_come_by_itself(tmp_path: Path, url: str, meant: str) -> None:
    (tmp_path / "password").write_text("p/@ss\n")
    script = "from gateway_site import settings; print(settings.RATE_LIMIT_STORE)"
    environment = {"USER_SERVICE_URL": "http://127.0.0.1:1", "DEBUG": "true", "RATE_LIMIT_STORE": url}
    environment["RATE_LIMIT_STORE_PASSWORD_FILE"] = str(tmp_path / "password")
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == meant, done.stderr
