"""An impossible start is one line on standard error and exit code 1, before anything starts."""

import socket

import pytest

from tools.run.store import EmbeddedStore
from tools.tests.conftest import Start, free_ports


def refusal(start: Start, **settings: str) -> str:
    """The one line of a run that refuses to start."""
    run = start(**settings)
    assert run.process.wait(20) == 1
    assert run.output == ""
    assert not run.data_dir.exists()
    [line] = run.errors
    return line


@pytest.mark.parametrize("name", ["GATEWAY_PORT", "USERS_PORT", "REDIS_PORT"])
def test_taken_port_is_named_with_its_setting(start, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(start, **{name: str(port)})
    assert line == f"error: port {port} is in use: stop what listens there, or set {name} to another port"


@pytest.mark.parametrize("value", ["http", "0", "65536", "tcp://10.0.0.1:6379"])
def test_value_that_is_not_a_port_is_refused(start, value):
    line = refusal(start, REDIS_PORT=value)
    assert line == f"error: REDIS_PORT is {value!r}: set it to a whole number from 1 to 65535"


def test_two_equal_ports_are_refused(start):
    [port] = map(str, free_ports(1))
    line = refusal(start, GATEWAY_PORT=port, USERS_PORT=port)
    assert line == f"error: GATEWAY_PORT and USERS_PORT are both {port}: set them to different ports"


def test_url_of_no_server_is_refused_without_showing_it(start):
    assert "hunter2" not in refusal(start, REDIS_URL="redis://:hunter2@host:port/0")


def test_data_of_another_run_is_refused(start, tmp_path):
    other = EmbeddedStore(1, tmp_path / "shared")
    line = refusal(start, DATA_DIR=str(other.data_dir))
    assert line == f"error: {other.data_dir} is in use by another `make run`: stop it, or set DATA_DIR"


def test_wrong_password_of_an_external_store_is_refused_at_once(start, own_redis):
    line = refusal(start, REDIS_URL=own_redis.replace("redis://:", "redis://:not-"))
    assert line.startswith("error: the store refuses the password: ")
