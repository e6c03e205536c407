"""RATE_LIMIT_STORE: one limit for all replicas; local limits, quick answers and a metric while it is unavailable."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import fakeredis
import pytest
import requests
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from common.http.request import Request
from gateway_site.guard import limit_store
from gateway_site.guard.limit import SECOND, Limiter, LocalStore
from gateway_site.guard.limit_store import RedisStore, connect
from gateway_site.guard.rate import Rate
from gateway_site.tests.guard.conftest import Start
from tests.log_lines import waited_for
from tests.recording import Recording
from tests.serving import Served
from tools.processes.service import Service, service
from tools.processes.store import Store, store

RATE, BURST, SECONDS = 20, 10, 4


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    """A Redis that a test may stop."""
    with store(tmp_path) as running:
        yield running


ClientOf = Callable[[], Redis]


@pytest.fixture(params=["fakeredis", "real server"])
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Makes clients of one store; the script must count alike on both kinds."""
    if request.param == "fakeredis":
        server = fakeredis.FakeServer()
        return lambda: fakeredis.FakeAsyncRedis(server=server)
    running = request.getfixturevalue("own_store")
    return lambda: connect(running.url)


def metric(gateway: Served | Service, name: str) -> float:
    lines = requests.get(f"{gateway.url}/metrics", timeout=5).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), -1)


def wait_until(gateway: Served | Service, name: str, value: float) -> None:
    deadline = time.monotonic() + 15
    while metric(gateway, name) != value:
        assert time.monotonic() < deadline, f"{name} is not {value}"
        time.sleep(0.05)


def fallbacks(replicas: list[Served]) -> float:
    return sum(metric(replica, "rate_limit_fallbacks_total") for replica in replicas)


def test_three_replicas_share_one_limit(
    start: Start, own_store: Store, upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_store, "TIMEOUT_SECONDS", 5.0)  # a busy machine must not make the limit local
    settings = {"RATE_LIMIT": f"{RATE}/s;burst={BURST}", "RATE_LIMIT_STORE": own_store.url}
    passed: list[float] = []
    refused: list[float] = []

    def load(gateway: Served, until: float) -> None:
        # Each thread asks for more than a third of the limit; together they ask for some three times the limit.
        with requests.Session() as session:
            while time.monotonic() < until:
                status = session.get(f"{gateway.url}/api/users", timeout=10).status_code
                {200: passed, 429: refused}[status].append(time.monotonic())
                time.sleep(0.002)

    with ExitStack() as stack:
        replicas = [stack.enter_context(start(**settings)) for _ in range(3)]
        for replica in replicas:  # connected, before it counts
            requests.get(f"{replica.url}/api/users", timeout=10)
            wait_until(replica, "rate_limit_store_up", 1)
        before = fallbacks(replicas)
        began = time.monotonic()
        threads = [
            threading.Thread(target=load, args=(replica, began + SECONDS)) for replica in replicas for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        after = fallbacks(replicas)
    allowed = BURST + RATE * (max(passed + refused) - min(passed + refused))
    assert after == before, "Redis did not answer in time: this run proves nothing"
    assert len(refused) > 0.2 * allowed, "the limit was not reached: this run proves nothing"
    assert len(passed) == pytest.approx(allowed, rel=0.08), f"{len(passed)} passed, {allowed:.0f} were allowed"


def test_without_redis_limits_are_local_and_quick(start: Start, own_store: Store, upstream: Recording) -> None:
    before = REGISTRY.get_sample_value("rate_limit_fallbacks_total") or 0.0
    with start(RATE_LIMIT="36/h;burst=20", RATE_LIMIT_STORE=own_store.url) as gateway:
        assert requests.get(f"{gateway.url}/api/users", timeout=10).status_code == 200
        own_store.kill()
        with requests.Session() as session:
            session.get(f"{gateway.url}/health", timeout=10)
            answers = [session.get(f"{gateway.url}/api/users", timeout=10) for _ in range(25)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        times = sorted(answer.elapsed.total_seconds() for answer in answers)
        assert times[12] < 0.05
        assert times[-1] < 1
        wait_until(gateway, "rate_limit_store_up", 0)  # sampled twice a second
        assert metric(gateway, "rate_limit_fallbacks_total") == before + 25
        assert waited_for(gateway, lambda line: "RATE_LIMIT_STORE lost" in line["message"])
        own_store.start()
        wait_until(gateway, "rate_limit_store_up", 1)
        assert requests.get(f"{gateway.url}/api/users", timeout=10).status_code == 200
        assert metric(gateway, "rate_limit_fallbacks_total") == before + 25


def test_a_redis_that_hangs_delays_one_request(start: Start, own_store: Store, upstream: Recording) -> None:
    with start(RATE_LIMIT="1000/s", RATE_LIMIT_STORE=own_store.url) as gateway, requests.Session() as session:
        assert session.get(f"{gateway.url}/api/users", timeout=10).status_code == 200
        assert own_store.process is not None
        os.kill(own_store.process.pid, signal.SIGSTOP)
        try:
            answers = [session.get(f"{gateway.url}/api/users", timeout=10) for _ in range(20)]
            times = [answer.elapsed.total_seconds() for answer in answers]
            assert {answer.status_code for answer in answers} == {200}
            assert 0.2 < times[0] < 2, "the first waits for the time-out"
            assert sorted(times)[10] < 0.05, "the others do not"
        finally:
            os.kill(own_store.process.pid, signal.SIGCONT)
        wait_until(gateway, "rate_limit_store_up", 1)


def test_a_gateway_starts_and_answers_without_its_redis(start: Start, upstream: Recording) -> None:
    with start(RATE_LIMIT="36/h;burst=2", RATE_LIMIT_STORE="redis://:hunter2@127.0.0.1:1/0") as gateway:
        statuses = [requests.get(f"{gateway.url}/api/users", timeout=10).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert requests.get(f"{gateway.url}/health/live", timeout=5).status_code == 200
        assert b"hunter2" not in gateway.log.read_bytes()


async def test_a_slow_redis_costs_one_time_out_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reply of a new connection is late (AUTH, SELECT, …): one time-out bounds all of them."""
    monkeypatch.setattr(limit_store, "TIMEOUT_SECONDS", 1.0)

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            await asyncio.sleep(0.8)
            writer.write(b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(late, "127.0.0.1", 0) as server:
        known = RedisStore(
            connect(f"redis://:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}/3"), Rate(1, 3600, 2)
        )
        began = time.monotonic()
        assert (await known.take("a"))[1] == 0
        assert time.monotonic() - began < 2
        assert not known.is_up, "limits are local now"
        await known.close()


async def test_an_unknown_error_of_the_store_leaves_no_request_waiting(monkeypatch: pytest.MonkeyPatch) -> None:

    async def broken(**kwargs: object) -> None:
        raise UnicodeDecodeError("utf-8", b"", 0, 1, "a fault of a library")

    known = RedisStore(connect("redis://127.0.0.1:1/0"), Rate(1, 3600, 2))
    monkeypatch.setattr(known, "_script", broken)
    _, early = await asyncio.wait_for(known.take("a"), 5)
    assert early == 0
    assert not known.is_up, "limits are local now"
    await known.close()


async def test_a_looser_limit_and_a_clock_set_back_lock_no_client_out(client_of: ClientOf) -> None:
    """A stored number is at most one burst ahead, also after a change of RATE_LIMIT or a failover to a slow clock."""
    strict, loose = (RedisStore(client_of(), rate) for rate in (Rate(1, 86_400, 3), Rate(10, 1, 5)))
    for _ in range(3):
        assert (await strict.take("a"))[1] == 0
    assert (await strict.take("a"))[1] > 80_000 * SECOND
    full_in, early = await loose.take("a")
    assert full_in <= 0.51 * SECOND
    assert early <= 0.11 * SECOND
    await asyncio.sleep(0.7)
    assert (await loose.take("a"))[1] == 0
    await strict.close()
    await loose.close()


async def test_the_rest_is_right_if_an_interval_is_not_a_whole_microsecond(client_of: ClientOf) -> None:
    for rate in (Rate(3, 1, 5), Rate(7, 60, 5), Rate(11, 3600, 5)):
        for known in (RedisStore(client_of(), rate), LocalStore(rate)):
            limiter, left = Limiter(rate, known), []
            for _ in range(3):
                request = cast(Request, SimpleNamespace(answer_fields=()))
                await limiter.count(request, f"{rate}")
                left.append(dict(request.answer_fields)[b"ratelimit"].split(b";")[1])
            assert left == [b"r=4", b"r=3", b"r=2"], rate
            await known.close()


def test_several_workers_show_one_figure_for_the_store(tmp_path: Path, own_store: Store, upstream: Recording) -> None:
    """A label for each process ID would be a new series at every restart."""
    limited = {"RATE_LIMIT": "1000/s", "RATE_LIMIT_STORE": own_store.url, "WEB_CONCURRENCY": "2"}
    with service("gateway_site", tmp_path, USER_SERVICE_URL=upstream.url, AUTH="none", **limited) as gateway:
        wait_until(gateway, "rate_limit_store_up", 1)


def test_keys_in_redis_expire(start: Start, own_store: Store, upstream: Recording) -> None:
    with start(RATE_LIMIT="100/s", RATE_LIMIT_STORE=own_store.url) as gateway:
        requests.get(f"{gateway.url}/api/users", timeout=10)
        deadline = time.monotonic() + 10
        while own_store.client().keys("*"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        requests.get(f"{gateway.url}/api/users", timeout=10)
        assert own_store.client().info("commandstats")["cmdstat_evalsha"]["calls"] >= 2
        assert metric(gateway, "rate_limit_store_up") == 1
