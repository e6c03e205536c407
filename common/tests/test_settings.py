"""A setting that is missing or malformed ends the process at start: one line on stderr that names it and the cure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.testing.service import ROOT, free_port
from tools.testing.site import IS_GATEWAY, SITE

VALID = {
    "SECRET_KEY": "a key for tests only",
    "ALLOWED_HOSTS": "127.0.0.1",
    "HOST": "127.0.0.1",
    **(
        {"USER_SERVICE_URL": "http://127.0.0.1:1", "AUTH": "none"}
        if IS_GATEWAY
        else {"REDIS_URL": "redis://127.0.0.1:1"}
    ),
}
MISSING = ["SECRET_KEY", "ALLOWED_HOSTS", *(["USER_SERVICE_URL", "AUTH"] if IS_GATEWAY else ["REDIS_HOST"])]
"""REDIS_HOST stands for REDIS_URL as well: one of them is needed, and the cure names both."""

PASSWORD = "never-to-be-seen"
NUMBERS = ["PORT", "MAX_BODY_BYTES", "MAX_IN_FLIGHT", "DRAIN_SECONDS"]
NUMBERS += (
    ["UPSTREAM_TIMEOUT_MS", "UPSTREAM_CONNECT_TIMEOUT_MS"]
    if IS_GATEWAY
    else ["REDIS_TIMEOUT_MS", "REDIS_CONNECT_TIMEOUT_MS"]
)
MALFORMED = [(name, ("many", "-1")[index % 2]) for index, name in enumerate(NUMBERS)]
MALFORMED += [("DEBUG", "maybe"), ("LOG_LEVEL", "loud"), ("PORT", "tcp://10.0.0.1:6379"), ("PORT", "70000")]
MALFORMED += [("ALLOWED_HOSTS", value) for value in (",", "http://example.com", "example.com:3000", "two words")]
if IS_GATEWAY:
    urls = [
        "user-service:3001",
        "ftp://user-service",
        "http://",
        "http://h:port",
        "http://h:99999",
        "http://h/path",
        "http://[::1",
        "http://two words",
        "http://us\xe9rs",
    ]
    MALFORMED += [("USER_SERVICE_URL", url) for url in [*urls, f"http://u:{PASSWORD}@h"]]
    MALFORMED += [("TRUSTED_PROXIES", "10.0.0.1/8"), ("TRUSTED_PROXIES", "everyone"), ("AUTH", "basic")]
else:
    urls = [
        "redis:6379",
        "http://redis",
        "redis://",
        "redis://h:port",
        "redis://h:99999",
        "redis://[::1",
        "redis://h/zero",
    ]
    urls += [f"redis://:{PASSWORD}@h:port/0", "redis+sentinel://h:26379"]
    MALFORMED += [("REDIS_URL", url) for url in urls]

COMMANDS = {
    "gunicorn": [sys.executable, "-m", "gunicorn", "-c", f"python:{SITE}.server"],
    "manage": [sys.executable, f"manage_{SITE.removesuffix('_site')}.py", "check"],
}


def start(command: str, environment: dict[str, str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The end of a process that is not to live."""
    inherited = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE")}
    environment = {"PORT": str(free_port()), **inherited, "PYTHONPATH": str(ROOT), **environment}
    line = [str(ROOT / word) if word.startswith("manage_") else word for word in COMMANDS[command]]
    return subprocess.run(
        line, cwd=folder or ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def assert_refused(done: subprocess.CompletedProcess[str], name: str) -> None:
    """It ended with one line about this setting, and not with a traceback."""
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert name in line
    assert ": " in line.partition(name)[2], "a cure follows"
    assert PASSWORD not in done.stderr + done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", MISSING)
def test_a_missing_setting_stops_the_process(command: str, name: str) -> None:
    environment = {key: value for key, value in VALID.items() if key != name.replace("REDIS_HOST", "REDIS_URL")}
    assert_refused(start(command, environment), name)


@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_a_malformed_setting_stops_the_server(name: str, value: str) -> None:
    done = start("gunicorn", {**VALID, name: value})
    assert_refused(done, name)
    # Before it listens; the names of sentinels are read in the worker.
    assert done.stdout == "" or "sentinel" in value


@pytest.mark.parametrize(("name", "value"), [*MALFORMED[::5], ("WEB_CONCURRENCY", "many")])
def test_a_malformed_setting_stops_a_command(name: str, value: str) -> None:
    assert_refused(start("manage", {**VALID, name: value}), name)


def test_valid_settings_pass_the_check() -> None:
    done = start("manage", VALID)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_cannot_be_read_stops_the_process(tmp_path: Path) -> None:
    environment = {**VALID, "SECRET_KEY_FILE": str(tmp_path / "nowhere")}
    assert_refused(start("gunicorn", environment), "SECRET_KEY_FILE")


def test_a_file_that_is_no_text_stops_the_process(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    assert_refused(start("gunicorn", {**VALID, "SECRET_KEY_FILE": str(tmp_path / "key")}), "SECRET_KEY_FILE")


def test_an_env_file_that_is_no_text_stops_the_process(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe=1")
    assert_refused(start("manage", VALID, tmp_path), ".env")
