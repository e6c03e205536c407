"""An impossible start is one line on standard error and exit code 1, before anything starts."""

import socket
from urllib.parse import urlsplit

import pytest

from common.config.environment import SettingError
from tools.processes.service import free_port
from tools.run.ports import read_ports
from tools.run.store import EmbeddedStore
from tools.tests.conftest import Start


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `make run` beside the tests may use the default ports."""
    for name in ("GATEWAY_PORT", "USERS_PORT", "REDIS_PORT"):
        monkeypatch.setenv(name, str(free_port()))


@pytest.mark.parametrize("name", ["GATEWAY_PORT", "USERS_PORT", "REDIS_PORT"])
def test_taken_port_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv(name, str(port))
        with pytest.raises(SettingError) as refused:
            read_ports({}, embedded=True)
    assert str(refused.value) == f"port {port} is in use: stop what listens there, or set {name} to another port"


def test_two_equal_ports_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "3003")
    monkeypatch.setenv("USERS_PORT", "3003")
    with pytest.raises(SettingError, match="GATEWAY_PORT and USERS_PORT are both 3003: set them to different ports"):
        read_ports({}, embedded=True)


def refusal(start: Start, **settings: str) -> str:
    """The one line of a run that refuses to start."""
    run = start(**settings)
    assert run.process.wait(20) == 1
    assert run.output == ""
    assert not run.data_dir.exists()
    [line] = run.errors
    return line


def test_value_that_is_not_a_port_is_refused(start: Start) -> None:
    line = refusal(start, REDIS_PORT="tcp://10.0.0.1:6379")
    assert line == "error: REDIS_PORT is 'tcp://10.0.0.1:6379': set it to a whole number from 1 to 65535"


def test_data_of_another_run_is_refused(start: Start, tmp_path) -> None:
    other = EmbeddedStore(1, tmp_path / "shared")
    line = refusal(start, DATA_DIR=str(other.data_dir))
    assert line == f"error: {other.data_dir} is in use by another `make run`: stop it, or set DATA_DIR"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("redis://:hunter2@host:port/0", "REDIS_URL has a malformed host or port: "),
        ("redis://:hunter2@127.0.0.1:{port}/0", "cannot be used after 10 s: Redis is unavailable (auth)"),
    ],
)
def test_an_external_store_that_cannot_be_used_is_refused(start: Start, own_redis: str, url: str, line: str) -> None:
    run = start(REDIS_URL=url.format(port=urlsplit(own_redis).port))
    assert run.process.wait(30) == 1
    assert line in run.output
    assert "hunter2" not in run.output
    assert run.errors == ["error: the store cannot be used: see the line above"]
