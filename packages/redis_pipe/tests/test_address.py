import pytest

from packages.redis_pipe import Address


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("redis://store", Address("redis", (("store", 6379),)), "redis://store:6379"),
        (
            "rediss://us%40er:hunter2%2Fw%3Aord%25@store.example:7000/3?ssl_ca_certs=/ca.pem",
            Address("rediss", (("store.example", 7000),), "", "", 3, "us@er", "hunter2/w:ord%", {"ssl_ca_certs": "/ca.pem"}),
            "rediss://us@er:***@store.example:7000/3",
        ),
        (
            "redis://:hunter@2@store",
            Address("redis", (("store", 6379),), password="hunter@2"),
            "redis://:***@store:6379",
        ),
        ("redis://[::1]:6380", Address("redis", (("::1", 6380),)), "redis://[::1]:6380"),
        (
            "unix://:hunter2@/run/redis/redis.sock?db=2",
            Address("unix", path="/run/redis/redis.sock", db=2, password="hunter2"),
            "unix://:***@/run/redis/redis.sock?db=2",
        ),
        ("unix:///r", Address("unix", path="/r"), "unix:///r"),
        (
            "redis+sentinel://user:hunter2@a,b:26380,[::1]/mymaster/1?sentinel_password=hunter3",
            Address(
                "redis+sentinel", (("a", 26379), ("b", 26380), ("::1", 26379)), "", "mymaster", 1, "user", "hunter2",
                {"sentinel_password": "hunter3"},
            ),
            "redis+sentinel://user:***@a:26379,b:26380,[::1]:26379/mymaster/1",
        ),
        (
            "rediss+cluster://user:hunter2@a,b:6380,[::1]/0",
            Address("rediss+cluster", (("a", 6379), ("b", 6380), ("::1", 6379)), username="user", password="hunter2"),
            "rediss+cluster://user:***@a:6379,b:6380,[::1]:6379",
        ),
    ],
)  # fmt: skip
def test_a_url_is_parsed_and_no_text_of_its_address_shows_a_password(url, address, shown):
    found = Address.from_url(url)
    assert found == address
    assert str(found) == shown
    assert "hunter" not in repr(found)


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
