"""The two stores on which the repository's tests run, as they find them."""

import pytest

from packages.redis_pipe.command import Script
from users_site.tests.fake import fake_url
from users_site.tests.valkey import valkey_url


@pytest.mark.parametrize("store", [fake_url, valkey_url])
async def test_our_connection_speaks_to_either_store(connect, store):
    with store() as url:
        connection = connect(url)
        script = Script("count", "return {redis.call('INCRBY', KEYS[1], ARGV[1]), false, {ARGV[1]}}")
        await connection.execute("load", "SCRIPT", "LOAD", script.source)  # fakeredis hangs up after NOSCRIPT
        assert await connection.run("count", script, ["n"], [5]) == [5, None, [b"5"]]
        assert await connection.execute("get", "GET", "absent") is None
        await connection.ping()
