"""A setting that is missing or malformed ends the process at start: one line on stderr that names it and the cure."""

import socket
import subprocess
from pathlib import Path

import pytest

from common.config.environment import SettingError
from tests.in_process import evaluated
from tests.programs import python
from tests.pytest_environment import REQUIRED
from tools.processes.service import ROOT, free_port

GATEWAY, USERS = "gateway_site", "users_site"
PASSWORD = "never-to-be-seen"
MANAGE_USERS = str(ROOT / "manage_users.py")
MALFORMED_URL = "REDIS_URL has a malformed host or port: write "

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


def started(command: list[str], folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    own = {"PORT": str(free_port()), "PYTHONPATH": str(ROOT), **REQUIRED, **settings}
    return python(*command, folder=folder, **own)


def refusal(command: list[str], folder: Path, **settings: str) -> str:
    """The line with which a process ends before it listens."""
    done = started(command, folder, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert PASSWORD not in line
    return line


@pytest.mark.parametrize(
    ("command", "settings", "named"),
    [
        (["-m", "users_site.server"], {"REDIS_URL": f"redis://:{PASSWORD}@h:port/0"}, MALFORMED_URL),
        (["-m", "gateway_site.server"], {"AUTH": "apikey", "AUTH_API_KEYS_FILE": "/nowhere"}, "AUTH_API_KEYS_FILE"),
        (["-m", "users_site.server"], {"WEB_CONCURRENCY": "many"}, "WEB_CONCURRENCY is 'many': set it to "),
        ([MANAGE_USERS, "check"], {"REDIS_URL": "redis://h:port"}, MALFORMED_URL),
        ([str(ROOT / "manage_gateway.py"), "check"], {"AUTH": ""}, "AUTH is not set: "),
    ],
    ids=str,
)
def test_the_process_ends_with_one_line_before_it_listens(
    command: list[str], settings: dict[str, str], named: str, tmp_path: Path
) -> None:
    assert named in refusal(command, tmp_path, **settings)


def test_a_port_in_use_is_one_line_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = started(["-m", "gateway_site.server"], tmp_path, HOST="127.0.0.1", PORT=str(taken.getsockname()[1]))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "in use" in line


def test_a_malformed_env_file_stops_the_process(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"REDIS_PASSWORD {PASSWORD}\n")
    assert ".env line 1 is malformed" in refusal(["-m", "users_site.server"], tmp_path)


def test_valid_settings_pass_the_check(tmp_path: Path) -> None:
    # None of these names is misspelt.
    (tmp_path / ".env").write_text("UPSTREAM_TIMEOUT_MS=1\nREDIS_PASSWORD_FILE=\nDATABASE=x\n")
    done = started([MANAGE_USERS, "check"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_misspelt_name_in_the_env_file_is_shown_with_the_nearest_setting(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_TIMEOT_MS=100\n")
    done = started([MANAGE_USERS, "check"], tmp_path)
    assert ".env sets REDIS_TIMEOT_MS, which is no setting: do you mean REDIS_TIMEOUT_MS?" in done.stdout
