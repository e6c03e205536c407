import pytest

from packages.redis_pipe import Address


def test_the_least_url_has_the_defaults():
    address = Address.from_url("redis://store")
    assert (address.nodes, address.db, address.username, address.password) == ((("store", 6379),), 0, None, None)


def test_a_full_url_is_decoded():
    address = Address.from_url("rediss://us%40er:p%40ss%2Fw%3Aord%25@store.example:7000/3?ssl_ca_certs=/ca.pem")
    assert address.nodes == (("store.example", 7000),)
    assert (address.username, address.password, address.db) == ("us@er", "p@ss/w:ord%", 3)
    assert address.options == {"ssl_ca_certs": "/ca.pem"}


def test_a_password_may_hold_an_at_sign():
    assert Address.from_url("redis://:p@ss@store").password == "p@ss"


def test_an_ipv6_address():
    address = Address.from_url("redis://[::1]:6380")
    assert address.nodes == (("::1", 6380),)
    assert str(address) == "redis://[::1]:6380"


def test_a_unix_socket():
    address = Address.from_url("unix://:secret@/run/redis/redis.sock?db=2")
    assert (address.path, address.db, address.password) == ("/run/redis/redis.sock", 2, "secret")
    assert str(address) == "unix://:***@/run/redis/redis.sock?db=2"


def test_sentinels():
    address = Address.from_url("redis+sentinel://user:secret@a,b:26380,[::1]/mymaster/1?sentinel_password=other")
    assert address.nodes == (("a", 26379), ("b", 26380), ("::1", 26379))
    assert (address.service, address.db, address.username, address.password) == ("mymaster", 1, "user", "secret")
    assert str(address) == "redis+sentinel://user:***@a:26379,b:26380,[::1]:26379/mymaster/1"


def test_a_cluster():
    address = Address.from_url("rediss+cluster://user:secret@a,b:6380,[::1]/0?ssl_ca_certs=/ca.pem")
    assert address.nodes == (("a", 6379), ("b", 6380), ("::1", 6379))
    assert (address.is_cluster, address.is_tls, address.username, address.password) == (True, True, "user", "secret")
    assert str(address) == "rediss+cluster://user:***@a:6379,b:6380,[::1]:6379"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:hunter2@redis:6379", "redis://:***@redis:6379"),
        ("redis://u:hunter2@redis/4", "redis://u:***@redis:6379/4"),
        ("redis://redis", "redis://redis:6379"),
        ("rediss://:hunter2@redis", "rediss://:***@redis:6379"),
        ("redis+sentinel://:hunter2@a/m?sentinel_password=hunter2", "redis+sentinel://:***@a:26379/m"),
        ("redis+cluster://:hunter2@a,b", "redis+cluster://:***@a:6379,b:6379"),
    ],
)
def test_no_text_of_an_address_shows_a_password(url, shown):
    address = Address.from_url(url)
    assert str(address) == shown
    assert "hunter2" not in repr(address)


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("", "use redis://"),
        ("hunter2", "use redis://"),
        ("http://:hunter2@store", "use redis://"),
        ("redis://", "use redis://"),
        ("redis://:hunter2@", "use redis://"),
        ("redis://:hunter2@store:port", "host:6379"),
        ("redis://:hunter2@store:70000", "host:6379"),
        ("redis://:hunter2@store:0", "use redis://"),
        ("redis://:hunter2@[::1", "use redis://"),
        ("redis://:hunt/er2@store", "percent-encode"),
        ("redis://:hunt#er2@store", "percent-encode"),
        ("redis://store:tcp://10.0.0.1:6379", "host:6379"),
        ("redis://:hunter2@store/name", "the database is a number"),
        ("redis://:hunter2@store/-1", "the database is a number"),
        ("redis://:hunter2@store?ssl_ca_certs=/ca.pem", "takes only"),
        ("rediss://:hunter2@store?verify=no", "ssl_ca_certs"),
        ("unix://:hunter2@redis.sock", "three slashes"),
        ("unix://", "three slashes"),
        ("redis+sentinel://:hunter2@a,b", "name the primary"),
        ("redis+sentinel://:hunter2@a,,b/mymaster", "use redis://"),
        ("redis+cluster://", "use redis://"),
        ("redis+cluster://:hunter2@a,,b", "use redis://"),
        ("redis+cluster://:hunter2@a,b:port", "host:6379"),
        ("redis+cluster://:hunter2@a,b/1", "database 0 only"),
        ("redis+cluster://:hunter2@a,b?db=1", "database 0 only"),
        ("redis+cluster://:hunter2@a,b/mymaster", "the database is a number"),
        ("redis+cluster://:hunter2@a,b?sentinel_password=hunter2", "takes only"),
    ],
)
def test_a_malformed_url_is_one_line_with_the_cure(url, cure):
    with pytest.raises(ValueError, match="REDIS_URL") as caught:
        Address.from_url(url)
    text = str(caught.value)
    assert cure in text
    assert "\n" not in text
    assert "hunter2" not in text
    assert "er2" not in text
    assert caught.value.__cause__ is None
