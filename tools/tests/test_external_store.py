"""REDIS_URL set: that server is used, seeded when empty, and outlives the run."""

import signal

from redis import Redis

from tools.processes.service import listens
from tools.tests.conftest import request


def test_redis_url_replaces_the_embedded_server_also_without_debug(start, own_redis):
    run = start(REDIS_URL=own_redis, DEBUG="false", DRAIN_SECONDS="0")
    run.wait_ready()
    assert not listens(run.redis)
    assert not run.data_dir.exists()
    with Redis.from_url(own_redis) as redis:
        assert redis.dbsize() > 100
    status, problem = request(run.gateway, "GET", "/nowhere")
    assert status == 404
    assert problem["code"] == "not-found"
    assert run.stop(signal.SIGTERM) == 0
    assert run.is_gone()
    with Redis.from_url(own_redis) as redis:
        assert redis.ping()
