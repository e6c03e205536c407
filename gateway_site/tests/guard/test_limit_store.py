"""RATE_LIMIT_STORE: one limit for all replicas; local limits and a metric while it is unavailable."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import orjson
import pytest
import requests
from fakeredis import TcpFakeServer

from common.http.request import Request
from common.observability import request_id
from common.observability.json_logging import JSONFormatter
from gateway_site.guard import limit_store
from gateway_site.guard.limit import SECOND, Limiter, LocalStore, Take
from gateway_site.guard.limit_store import RedisStore
from gateway_site.routes.rate import Rate
from gateway_site.tests.guard.conftest import Start, counted
from tests.log_lines import waited_for
from tests.metrics import sample
from tests.recording import Recording
from tests.serving import Served
from tools.processes.cluster import until
from tools.processes.sentinel import sentinel_of, sentinel_url
from tools.processes.service import Service, service
from tools.processes.store import PASSWORD, Store, store


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as running:
        yield running


@pytest.fixture(params=["fakeredis", "real server"])
def shared_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The script must count alike on both."""
    if request.param == "real server":
        yield request.getfixturevalue("own_store").url
        return
    with TcpFakeServer(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"redis://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
async def replica(shared_url: str) -> AsyncIterator[Callable[[Rate], Take]]:
    """Makes stores of one Redis, as replicas have them."""
    made: list[RedisStore] = []

    def make(rate: Rate) -> Take:
        made.append(RedisStore(shared_url))
        return made[-1].counter(rate, "default")

    yield make
    for each in made:
        await each.close()


def wait_until(gateway: Served | Service, name: str, value: float) -> None:
    until(lambda: sample(gateway, name) == value)


async def test_three_replicas_share_one_limit(replica: Callable[[Rate], Take]) -> None:
    replicas = [replica(Rate(36, 3600, 10)) for _ in range(3)]
    taken = await asyncio.gather(*(take("a") for _ in range(10) for take in replicas))
    assert [early for _, early in taken].count(0) == 10
    assert all(98 < early / SECOND <= 100 for _, early in taken if early)
    assert (await replicas[0]("b"))[1] == 0


@pytest.mark.parametrize(("in_url", "setting"), [(PASSWORD, ""), ("", PASSWORD), (PASSWORD, "another")])
async def test_the_password_may_be_a_setting_of_its_own(own_store: Store, in_url: str, setting: str) -> None:
    stores = RedisStore(f"redis://:{in_url}@127.0.0.1:{own_store.port}/0", setting)
    await stores.counter(Rate(1, 3600, 2), "default")("a")
    assert stores.is_up
    assert "api-gateway" in {client["name"] for client in own_store.client().client_list()}
    await stores.close()


async def test_a_primary_behind_sentinel_is_found(own_store: Store) -> None:
    with sentinel_of(own_store) as sentinel:
        stores = RedisStore(sentinel_url(sentinel.port, password=PASSWORD))
        await stores.counter(Rate(1, 3600, 2), "default")("a")
        assert (stores.is_up, own_store.client().keys("*")) == (True, [b"ratelimit:a"])
        await stores.close()


def test_without_redis_limits_are_local(start: Start, own_store: Store, upstream: Recording) -> None:
    before = counted("rate_limit_fallbacks")
    shared = {"RATE_LIMIT_STORE": f"redis://127.0.0.1:{own_store.port}", "RATE_LIMIT_STORE_PASSWORD": PASSWORD}
    with start(RATE_LIMIT="36/h;burst=20", **shared) as gateway:
        assert requests.get(f"{gateway.url}/api/users", timeout=10).status_code == 200
        own_store.kill()
        with requests.Session() as session:
            session.get(f"{gateway.url}/health", timeout=10)
            answers = [session.get(f"{gateway.url}/api/users", timeout=10) for _ in range(25)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        wait_until(gateway, "rate_limit_store_up", 0)  # sampled twice a second
        assert counted("rate_limit_fallbacks") == before + 25
        assert waited_for(gateway, lambda line: line["message"] == "RATE_LIMIT_STORE lost, limits are local")
        own_store.start()
        wait_until(gateway, "rate_limit_store_up", 1)
        assert requests.get(f"{gateway.url}/api/users", timeout=10).status_code == 200
        assert counted("rate_limit_fallbacks") == before + 25


def test_a_gateway_starts_and_answers_without_its_redis(start: Start, upstream: Recording) -> None:
    with start(RATE_LIMIT="36/h;burst=2", RATE_LIMIT_STORE="redis://:hunter2@127.0.0.1:1/0") as gateway:
        statuses = [requests.get(f"{gateway.url}/api/users", timeout=10).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert requests.get(f"{gateway.url}/health/live", timeout=5).status_code == 200
        assert b"hunter2" not in gateway.log.read_bytes()


@pytest.mark.slow
async def test_a_slow_redis_costs_one_time_out_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reply of a new connection is late (AUTH, SELECT, …): one time-out bounds all of them."""
    monkeypatch.setattr(limit_store, "TIMEOUT_SECONDS", 1.0)

    served = asyncio.Semaphore(0)

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            await asyncio.sleep(0.8)
            writer.write(b"+OK\r\n")
        writer.close()
        served.release()

    async with await asyncio.start_server(late, "127.0.0.1", 0) as server:
        stores = RedisStore(f"redis://:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}/3")
        take = stores.counter(Rate(1, 3600, 2), "default")
        began = time.monotonic()
        assert (await take("a"))[1] == 0
        assert not stores.is_up, "limits are local now"
        assert (await take("a"))[1] == 0
        assert [(await take(client))[1] > 0 for client in "ab"] == [True, False]
        assert time.monotonic() - began < 2
        await stores.close()
        await asyncio.wait_for(served.acquire(), 5)


async def test_a_store_that_refuses_writes_is_lost_until_it_accepts_them(
    own_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JSONFormatter("any", "1"))
    request_id.current.set("the first request")
    own_store.command("CONFIG", "SET", "min-replicas-to-write", "1")
    stores = RedisStore(own_store.url)
    take = stores.counter(Rate(1, 3600, 2), "default")
    taken = [((await take("a"))[1], stores.is_up)]
    own_store.command("CONFIG", "SET", "min-replicas-to-write", "0")
    taken.append(((await take("a"))[1], stores.is_up))
    assert taken == [(0, False), (0, True)]
    lost, back = map(orjson.loads, caplog.text.splitlines())
    assert (lost["reason"], back["message"]) == ("noreplicas", "RATE_LIMIT_STORE back")
    assert "the first request" not in caplog.text, "the lines belong to no request"
    await stores.close()


async def test_a_looser_limit_and_a_clock_set_back_lock_no_client_out(replica: Callable[[Rate], Take]) -> None:
    """A stored number is at most one burst ahead, also after a change of RATE_LIMIT or a failover to a slow clock."""
    strict, loose = replica(Rate(1, 86_400, 3)), replica(Rate(10, 1, 5))
    for _ in range(3):
        assert (await strict("a"))[1] == 0
    assert (await strict("a"))[1] > 80_000 * SECOND
    full_in, early = await loose("a")
    assert full_in <= 0.51 * SECOND
    assert early <= 0.11 * SECOND
    await asyncio.sleep(0.7)
    assert (await loose("a"))[1] == 0


async def test_the_rest_is_right_if_an_interval_is_not_a_whole_microsecond(
    replica: Callable[[Rate], Take],
) -> None:
    for rate in (Rate(3, 1, 5), Rate(7, 60, 5), Rate(11, 3600, 5)):
        for take in (replica(rate), LocalStore(rate).take):
            limiter, left = Limiter(rate, take), []
            for _ in range(3):
                request = cast(Request, SimpleNamespace(answer_fields=()))
                await limiter.count(request, f"{rate}")
                left.append(dict(request.answer_fields)[b"ratelimit"].split(b";")[1])
            assert left == [b"r=4", b"r=3", b"r=2"], rate


def test_several_workers_show_one_figure_for_the_store(tmp_path: Path, own_store: Store, upstream: Recording) -> None:
    """A label for each process ID would be a new series at every restart."""
    limited = {"RATE_LIMIT": "1000/s", "RATE_LIMIT_STORE": own_store.url, "WEB_CONCURRENCY": "2"}
    with service("gateway_site", tmp_path, USER_SERVICE_URL=upstream.url, AUTH="none", **limited) as gateway:
        wait_until(gateway, "rate_limit_store_up", 1)


async def test_keys_in_redis_expire(own_store: Store) -> None:
    stores = RedisStore(own_store.url)
    for name in ("default", "/api/users"):
        await stores.counter(Rate(2, 1, 2), name)("a")
    assert {*own_store.client().keys("*")} == {b"ratelimit:a", b"ratelimit:/api/users:a"}
    async with asyncio.timeout(10):
        while own_store.client().keys("*"):
            await asyncio.sleep(0.05)
    await stores.close()
