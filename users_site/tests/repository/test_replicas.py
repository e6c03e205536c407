"""READS_REQUIRE_REPLICA: reads of a primary whose replicas are gone."""

import asyncio
import gc
import time
from contextlib import nullcontext
from unittest import mock

import pytest

from common.http import deadline
from packages.redis_pipe import Address, Connection, Options, Pipe, Reason, Unavailable
from tools.processes.valkey import valkey
from users_site.repository import replicas
from users_site.repository.errors import StoreUnavailable
from users_site.repository.replicas import ReplicaCheck
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import created


async def refused(users: UserRepository, seconds: float) -> bool:
    """Whether reads are refused for want of a replica, within this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            await users.page(1)
        except StoreUnavailable as error:
            return error.reason is Reason.NOREPLICAS
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("loss", ["kill", "freeze"])
async def test_reads_are_refused_while_no_replica_follows(loss: str) -> None:
    with valkey() as primary, valkey(f"replicaof 127.0.0.1 {primary.port}") as replica:
        replica.wait_for(lambda client: client.info("replication")["master_link_status"] == "up")
        pipe = Pipe(Address.from_url(primary.url), Options(5, 5))
        users = UserRepository(Store(pipe), replicas=ReplicaCheck())
        user = await created(users)
        assert await users.get(user.id) == await users.find(user.email) == user.document()
        getattr(replica, loss)()
        assert await refused(users, 6)
        for read in (users.get(user.id), users.find(user.email)):
            with pytest.raises(StoreUnavailable):
                await read
        await users.delete(user.id)  # writes have a rule of their own
        if loss == "freeze":
            replica.thaw()
            await asyncio.sleep(2)
            assert not await refused(users, 0.7)
        await users.close()


async def test_a_request_without_time_does_not_fail_the_others_that_share_its_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with valkey() as primary, valkey(f"replicaof 127.0.0.1 {primary.port}") as replica:
        replica.wait_for(lambda client: client.info("replication")["master_link_status"] == "up")
        check, pipe = ReplicaCheck(), Pipe(Address.from_url(primary.url), Options(5, 5, time_left=deadline.left))
        await pipe.execute("ping", "PING")
        primary.freeze()

        async def hurried() -> None:
            deadline.start(b"50", time.perf_counter())
            with pytest.raises(Unavailable, match="timeout"):
                await check.require(pipe)

        started = time.monotonic()
        await asyncio.create_task(hurried())
        assert time.monotonic() - started < 0.4
        monkeypatch.setattr(replicas, "LONGEST_SECONDS", 0.1)
        async with asyncio.timeout(2):
            with pytest.raises(Unavailable, match="timeout"):
                await check.require(pipe)
        monkeypatch.undo()
        primary.thaw()
        await check.require(pipe)
        await pipe.close()


async def test_of_several_primaries_that_are_down_no_error_goes_astray(caplog: pytest.LogCaptureFixture) -> None:
    pipes = [Pipe(Address.from_url("redis://127.0.0.1:1"), Options(5, 5)) for _ in range(3)]
    check = ReplicaCheck()
    with pytest.raises(Unavailable):
        await check.require(*pipes)
    await asyncio.sleep(0.1)  # the others fail too
    del check
    gc.collect()
    assert caplog.text == ""
    for pipe in pipes:
        await pipe.close()


@pytest.mark.parametrize(
    ("replica", "is_close"),
    [
        (b"state=online,offset=1,lag=2", True),
        (b"state=online,offset=1,lag=3", False),
        (b"state=wait_bgsave,lag=0", False),
    ],
)
async def test_a_replica_that_is_online_may_lag_by_two_seconds(replica: bytes, is_close: bool) -> None:
    found = b"# Replication\r\nrole:master\r\nslave0:ip=10.0.0.1,port=6379,%b\r\n" % replica
    primary = mock.Mock(spec=Connection, execute=mock.AsyncMock(return_value=found))
    with nullcontext() if is_close else pytest.raises(Unavailable, match="noreplicas"):
        await ReplicaCheck().require(primary)


async def test_reads_at_once_ask_once() -> None:
    seen: list[str] = []
    with valkey() as primary:
        pipe = Pipe(Address.from_url(primary.url), Options(5, 5, observe=lambda labels, _: seen.append(labels[0])))
        users = UserRepository(Store(pipe), replicas=ReplicaCheck())
        outcomes = await asyncio.gather(*(users.page(1) for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert primary.client().info("commandstats")["cmdstat_info"]["calls"] == seen.count("replicas") == 1
        await users.close()
