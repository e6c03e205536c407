"""A setting that is missing or malformed ends the process at start: one line on stderr that names it and the cure."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from common.config.environment import SettingError
from tests.in_process import REQUIRED, evaluated
from tools.processes.service import ROOT, free_port

GATEWAY, USERS = "gateway_site", "users_site"
PASSWORD = "never-to-be-seen"

MISSING = [
    *((site, name) for site in (GATEWAY, USERS) for name in ("SECRET_KEY", "ALLOWED_HOSTS")),
    (GATEWAY, "USER_SERVICE_URL"),
    (GATEWAY, "AUTH"),
    (USERS, "REDIS_URL"),
]
SHARED = [
    *(
        (name, value)
        for name in ("PORT", "MAX_BODY_BYTES", "MAX_IN_FLIGHT", "DRAIN_SECONDS")
        for value in ("many", "-1")
    ),
    ("PORT", "tcp://10.0.0.1:6379"),
    ("PORT", "70000"),
    ("DEBUG", "maybe"),
    ("LOG_LEVEL", "loud"),
    ("WEB_CONCURRENCY", "many"),
    *(("ALLOWED_HOSTS", value) for value in (",", "http://example.com", "example.com:3000", "two words")),
    *(
        ("PUBLIC_URL", value)
        for value in ("api.example.com", "ftp://h", "https://h/a b", "https://h?q", f"https://u:{PASSWORD}@h")
    ),
]
GATEWAYS = [
    *((name, value) for name in ("UPSTREAM_TIMEOUT_MS", "UPSTREAM_CONNECT_TIMEOUT_MS") for value in ("many", "-1")),
    *(("USER_SERVICE_URL", url) for url in ("user-service:3001", "ftp://user-service", "http://", "http://h:port")),
    *(("USER_SERVICE_URL", url) for url in ("http://h:99999", "http://h/path", "http://[::1", "http://two words")),
    *(("USER_SERVICE_URL", url) for url in ("http://us\xe9rs", f"http://u:{PASSWORD}@h")),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "everyone"),
    ("AUTH", "basic"),
]
USER_SERVICES = [
    *((name, value) for name in ("REDIS_TIMEOUT_MS", "REDIS_CONNECT_TIMEOUT_MS") for value in ("many", "-1")),
    ("TRUSTED_PROXIES", "everyone"),
    ("DURABILITY", "eternal"),
]
MALFORMED = [
    *((GATEWAY, *case) for case in (*SHARED, *GATEWAYS)),
    *((USERS, *case) for case in (*SHARED[::4], *USER_SERVICES)),
]


@pytest.mark.parametrize(("site", "name"), MISSING)
def test_a_missing_setting_is_named_with_the_cure(site: str, name: str) -> None:
    with pytest.raises(SettingError, match=rf"{name.replace('_URL', '_')}.* is not set: "):
        evaluated(site, **{name: ""})


@pytest.mark.parametrize(("site", "name", "value"), MALFORMED)
def test_a_malformed_setting_is_named_with_the_cure(site: str, name: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"^{name} is .*: set it to ") as raised:
        evaluated(site, **{name: value})
    assert PASSWORD not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("site", [GATEWAY, USERS])
def test_a_file_that_cannot_be_read_is_named(site: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="SECRET_KEY_FILE cannot be read"):
        evaluated(site, SECRET_KEY_FILE=str(tmp_path / "nowhere"))
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="SECRET_KEY_FILE is not UTF-8 text"):
        evaluated(site, SECRET_KEY_FILE=str(tmp_path / "key"))


def start(command: list[str], folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The end of a process that must not start."""
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "DATA_DIR"}}
    environment = {"PORT": str(free_port()), "PYTHONPATH": str(ROOT), **inherited, **REQUIRED, **settings}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("command", "settings", "named"),
    [
        (
            ["-m", "users_site.server"],
            {"REDIS_URL": f"redis://:{PASSWORD}@h:port/0"},
            "REDIS_URL has a malformed host or port: write ",
        ),
        (["-m", "gateway_site.server"], {"AUTH": "apikey", "AUTH_API_KEYS_FILE": "/nowhere"}, "AUTH_API_KEYS_FILE"),
        (["-m", "users_site.server"], {"WEB_CONCURRENCY": "many"}, "WEB_CONCURRENCY is 'many': set it to "),
        ([str(ROOT / "manage_users.py"), "check"], {"REDIS_URL": "redis://h:port"}, "REDIS_URL has a malformed host"),
        ([str(ROOT / "manage_gateway.py"), "check"], {"AUTH": ""}, "AUTH is not set: "),
    ],
    ids=str,
)
def test_the_process_ends_with_one_line_before_it_listens(
    command: list[str], settings: dict[str, str], named: str, tmp_path: Path
) -> None:
    done = start(command, tmp_path, **settings)
    assert (done.returncode != 0, done.stdout) == (True, "")
    (line,) = done.stderr.splitlines()
    assert named in line
    assert PASSWORD not in line


def test_a_port_in_use_is_one_line_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = start(["-m", "gateway_site.server"], tmp_path, HOST="127.0.0.1", PORT=str(taken.getsockname()[1]))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "in use" in line


def test_a_malformed_env_file_stops_the_process(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"REDIS_PASSWORD {PASSWORD}\n")
    done = start(["-m", "users_site.server"], tmp_path)
    assert (done.returncode != 0, done.stdout) == (True, "")
    (line,) = done.stderr.splitlines()
    assert ".env line 1 is malformed" in line
    assert PASSWORD not in line


def test_valid_settings_pass_the_check(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "UPSTREAM_TIMEOUT_MS=1\nREDIS_PASSWORD_FILE=\nDATABASE=x\n"
    )  # none of them is misspelt
    done = start([str(ROOT / "manage_users.py"), "check"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_misspelt_name_in_the_env_file_is_shown_with_the_nearest_setting(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_TIMEOT_MS=100\n")
    done = start([str(ROOT / "manage_users.py"), "check"], tmp_path)
    assert ".env sets REDIS_TIMEOT_MS, which is no setting: do you mean REDIS_TIMEOUT_MS?" in done.stdout
