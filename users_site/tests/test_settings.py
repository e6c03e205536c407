"""Where the store is: REDIS_URL, or its parts."""

import pytest

from common.config import environment
from common.config.environment import SettingError
from tests.in_process import built, evaluated


def url_of(**settings: str) -> str:
    """The URL that these settings alone mean."""
    return str(evaluated("users_site", **{"REDIS_URL": "", **settings})["REDIS_URL"])


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"REDIS_URL": "rediss://:secret@redis:6380/1"}, "rediss://:secret@redis:6380/1"),
        ({"REDIS_URL": "unix:///run/redis.sock"}, "unix:///run/redis.sock"),
        ({"REDIS_URL": "rediss+sentinel://a,b/mymaster/0"}, "rediss+sentinel://a,b/mymaster/0"),
        ({"REDIS_URL": "rediss+cluster://:secret@a,b:1"}, "rediss+cluster://:secret@a,b:1"),
        ({"REDIS_URL": "redis://a", "REDIS_HOST": "b"}, "redis://a"),
        ({"REDIS_HOST": "redis"}, "redis://redis:6379/0"),
        ({"REDIS_HOST": "redis", "REDIS_PORT": "7000"}, "redis://redis:7000/0"),
        ({"REDIS_HOST": "fd00::5"}, "redis://[fd00::5]:6379/0"),
        ({"REDIS_HOST": "[fd00::5]"}, "redis://[fd00::5]:6379/0"),
    ],
)
def test_settings_mean_a_url(settings: dict[str, str], url: str) -> None:
    assert url_of(**settings) == url


@pytest.mark.parametrize(
    "url",
    [
        "redis",
        "redis:6379",
        "http://redis",
        "redis://",
        "redis://h:port",
        "redis://[::1",
        "redis://h/zero",
        "redis://:never-to-be-seen@h:port/0",
    ],
)
def test_malformed_url_is_named_with_the_cure_and_not_shown(url: str) -> None:
    with pytest.raises(SettingError, match=r"^REDIS_URL.*: ") as raised, built("users_site", REDIS_URL=url):
        pass
    assert "never-to-be-seen" not in str(raised.value)


@pytest.mark.parametrize("port", ["0", "65536", "tcp://10.0.0.1:6379", "x"])
def test_port_that_is_none_names_the_setting(port: str) -> None:
    """Kubernetes sets REDIS_PORT=tcp://… for a service of that name (bitnami/charts#2828)."""
    with pytest.raises(SettingError, match="REDIS_PORT"):
        url_of(REDIS_HOST="redis", REDIS_PORT=port)


@pytest.mark.parametrize("host", ["redis:6379", "redis://redis", "redis/0", "a b", "user@redis", "::g"])
def test_host_that_is_none_names_the_setting(host: str) -> None:
    with pytest.raises(SettingError, match=r"^REDIS_HOST is .*: set it to a host name or an IP address"):
        url_of(REDIS_HOST=host)


def test_no_store_at_all_names_the_settings() -> None:
    with pytest.raises(SettingError, match=r"REDIS_HOST is not set: set it, or REDIS_URL"):
        url_of()


def test_the_logs_mask_the_password() -> None:
    with built("users_site", REDIS_URL="redis://:top-secret@redis"):
        assert "top-secret" in environment.secrets


def test_partitions_are_1_unless_set_to_a_number_that_a_store_can_have() -> None:
    for given, number in (({}, 1), ({"PARTITIONS": "64"}, 64)):
        assert evaluated("users_site", REDIS_URL="redis://a", **given)["PARTITIONS"] == number
    with pytest.raises(SettingError, match="PARTITIONS"):
        evaluated("users_site", REDIS_URL="redis://a", PARTITIONS="2")
