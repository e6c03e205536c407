"""REDIS_URL set: that server is used, seeded when empty, and outlives the run."""

import os
import signal
import sys

from tools.run.services import ROOT
from tools.run.store import client
from tools.tests.conftest import is_open, request


def test_redis_url_replaces_the_embedded_server_also_without_debug(start, own_redis):
    run = start(REDIS_URL=own_redis, DEBUG="false", DRAIN_SECONDS="0")
    run.wait_ready()
    assert not is_open(run.redis)
    assert not run.data_dir.exists()
    with client(own_redis) as redis:
        assert redis.dbsize() > 100
    status, problem = request(run.gateway, "GET", "/nowhere")
    assert status == 404
    assert problem["code"] == "not-found"
    assert run.stop(signal.SIGTERM) == 0
    assert run.is_gone()
    with client(own_redis) as redis:
        assert redis.ping()


def test_make_that_alone_gets_sigint_stops_everything(start, own_redis, tmp_path):
    """GNU make tells its recipe nothing (tools/run/caller.py); it dies of the signal itself once the recipe has ended."""
    with client(own_redis) as redis:
        redis.set("not", "empty")
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@exec '{sys.executable}' -m tools.run\n")
    run = start(["make", "-C", str(ROOT), "-f", str(makefile), "run"], REDIS_URL=own_redis)
    run.wait_ready()
    assert request(run.users, "GET", "/users")[1]["count"] == 0
    os.kill(run.process.pid, signal.SIGINT)
    assert run.process.wait(20) == -signal.SIGINT
    assert run.is_gone()
