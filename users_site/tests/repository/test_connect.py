"""What the settings make of the repository's connections."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from django.conf import settings as django_settings

from common.config.environment import SettingError
from common.http import deadline
from common.observability import tracing
from packages import redis_pipe
from packages.redis_pipe import Connection, Durability, Options, Reason
from users_site import repository
from users_site.repository.metrics import REDIS_DURATION
from users_site.repository.replicas import ReplicaCheck
from users_site.repository.store import has_written
from users_site.repository.traced import Traced


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Options]]:
    """The key and the options of each connection."""
    connect, found = redis_pipe.connect, []

    def recording(address: Any, key: str, options: Options) -> Any:
        found.append((key, options))
        return connect(address, key, options)

    monkeypatch.setattr(redis_pipe, "connect", recording)
    return found


def test_the_options_are_settings(made: list[tuple[str, Options]], settings: Any) -> None:
    settings.REDIS_TIMEOUT_MS, settings.REDIS_CONNECT_TIMEOUT_MS, settings.REDIS_PASSWORD = 2500, 500, "secret"
    users = repository.connect(django_settings, is_quiet=True)
    ((key, options),) = made
    assert (key, options.timeout, options.connect_timeout) == ("{users:0}:ids", 2.5, 0.5)
    assert (options.client_name, options.time_left, options.on_state) == ("user-service", deadline.left, None)
    assert (options.observe, options.password and options.password()) == (REDIS_DURATION.observe, "secret")
    assert (users.store.durable, users._replicas, users.store.layout.count) == (None, None, 1)
    assert not isinstance(users.store.pipe, Traced)


def test_the_state_is_logged(made: list[tuple[str, Options]], caplog: pytest.LogCaptureFixture) -> None:
    repository.connect(django_settings)
    on_state = made[0][1].on_state
    assert on_state is not None
    on_state(Reason.REFUSED)
    on_state(None)
    lost, back = caplog.records
    assert (lost.message, lost.__dict__["fields"], back.message) == (
        "Redis is lost",
        {"reason": "refused"},
        "Redis is back",
    )


def test_durable_writes_have_a_connection_of_their_own(
    made: list[tuple[str, Options]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "DurableWrites", lambda *given: given)
    settings.DURABILITY, settings.TRACES = "fsync", True
    settings.PARTITIONS, settings.READS_REQUIRE_REPLICA = 16, True
    users = repository.connect(django_settings)
    store = users.store
    assert len(made) == 2
    assert isinstance(store.pipe, Traced)
    assert isinstance(users._replicas, ReplicaCheck)
    assert store.layout.count == 16
    connection, *rest = cast(Any, store.durable)
    assert (connection is None, rest) == (False, [Durability.FSYNC, has_written])


def test_with_traces_too_a_key_has_its_own_connection() -> None:
    untraced = mock.Mock(spec=Connection)
    Traced(untraced).at("key")
    untraced.at.assert_called_once_with("key")


async def test_a_span_names_a_command_and_its_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = mock.Mock(side_effect=lambda *names: nullcontext())
    monkeypatch.setattr(tracing, "store_span", spans)
    untraced = mock.Mock(spec=Connection, issue=mock.AsyncMock(return_value=b"x"))
    command = ("get", (b"GET", "key"), None, 1.5)
    assert await Traced(untraced).issue(*command) == b"x"
    untraced.issue.assert_awaited_once_with(*command)
    spans.assert_called_once_with("get", "GET")


def test_a_malformed_address_is_a_setting_to_correct(settings: Any) -> None:
    settings.REDIS_URL = "memcached://host"
    with pytest.raises(SettingError, match="REDIS_URL"):
        repository.connect(django_settings)


def test_a_file_takes_precedence_over_a_password(settings: Any, tmp_path: Path) -> None:
    settings.REDIS_PASSWORD, settings.REDIS_PASSWORD_FILE = "old", str(tmp_path / "password")
    (tmp_path / "password").write_text("n\u00e9w\n", "utf-8")
    assert repository.current_password(django_settings) == "n\u00e9w"


def test_what_must_be_durable() -> None:
    assert [has_written(outcome) for outcome in (b"replaced", [b"created"], b"gone", [b"taken"])] == [
        True,
        True,
        False,
        False,
    ]
