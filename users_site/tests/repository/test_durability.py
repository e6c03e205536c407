"""Writes that wait to be durable, on real servers."""

import asyncio
import logging
import time

import pytest

from packages.redis_pipe import Address, Durability, DurableWrites, Options, Pipe, Reason, _durability
from tools.processes.valkey import valkey
from users_site.repository.entries import Idempotency
from users_site.repository.errors import EmailTaken, NotDurable, StoreError, StoreUnavailable, UserNotFound
from users_site.repository.keys import Layout
from users_site.repository.store import Store, has_written
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import email_in, fresh_email, to

AOF = ("appendonly yes", "maxmemory-policy noeviction")
KEY = Idempotency("a-key", b"f" * 32)


@pytest.fixture
async def repository():
    made = []

    def make(server, durability: Durability, seconds: float = 5.0, partitions: int = 1, **options) -> UserRepository:
        first, second = (Pipe(Address.from_url(server.url), Options(seconds, 5.0, **given)) for given in ({}, options))
        durable = DurableWrites(second, durability, has_written)
        made.append(UserRepository(Store(first, durable, Layout(partitions))))
        return made[-1]

    yield make
    for users in made:
        await users.close()


def calls(server, command: str) -> int:
    return server.client().info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


async def test_a_write_is_on_disk_when_it_is_acknowledged(repository):
    with valkey(*AOF, "appendfsync everysec") as server:
        users = repository(server, Durability.FSYNC)
        document, _ = await users.create("Ada", fresh_email(), "user")
        assert server.command("INFO", "persistence")["aof_pending_bio_fsync"] == 0
        assert calls(server, "waitaof") == 1
        assert await users.get(document[7:43].decode()) == document


async def test_writes_at_once_wait_together(repository):
    with valkey(*AOF, "appendfsync always") as server:
        users = repository(server, Durability.FSYNC)
        await asyncio.gather(*(users.create("Ada", fresh_email(), "user") for _ in range(200)))
        assert calls(server, "waitaof") <= 4
        assert await users.store.count() == 200


async def test_writes_beyond_max_waiting_are_refused_at_once(repository):
    with valkey(*AOF, "appendfsync always") as server:
        users = repository(server, Durability.FSYNC, max_waiting=2)
        writes = [users.create("Ada", fresh_email(), "user") for _ in range(5)]
        ended = await asyncio.gather(*writes, return_exceptions=True)
        refused = [error for error in ended if isinstance(error, StoreUnavailable)]
        assert [(error.reason, error.uncertain) for error in refused] == [(Reason.QUEUE_FULL, False)] * 3
        assert await users.store.count() == 2


async def test_each_kind_of_write_waits_and_reads_do_not(repository):
    with valkey(*AOF, "appendfsync always") as server:
        users = repository(server, Durability.FSYNC)
        await users.probe()
        document, _ = await users.create("Ada", fresh_email(), "user")
        user_id = document[7:43].decode()
        await users.update(user_id, to(name="Grace"))
        await users.delete(user_id)
        with pytest.raises(UserNotFound):
            await users.get(user_id)
        await users.page(20)
        assert calls(server, "waitaof") == 1 + 3


async def test_without_a_replica_a_write_is_made_and_not_durable(repository):
    with valkey(*AOF) as server:
        users = repository(server, Durability.REPLICATED)
        taken = fresh_email()
        started = time.monotonic()
        with pytest.raises(NotDurable):
            await users.create("Ada", taken, "user")
        assert time.monotonic() - started < 2.0 + 1
        assert await users.find(taken) is not None
        with pytest.raises(EmailTaken):  # nothing was written that would have to be durable
            await users.create("Eve", taken, "user")


async def test_steps_before_the_one_that_decides_are_not_made_without_a_replica(repository, monkeypatch):
    monkeypatch.setattr(_durability, "WAIT_SECONDS", 0.1)
    with valkey(*AOF) as server:
        users = repository(server, Durability.REPLICATED, partitions=16)
        email, other = email_in(users, 3), email_in(users, 4)
        with pytest.raises(NotDurable):
            await users.create("Ada", email, "user")
        document = await users.find(email)
        user_id = document[7:43].decode()
        key = next(name for name in map(str, range(99)) if users.store.layout.of_key(name, "").number == 5)
        for write in (
            users.update(user_id, to(email=other), email=other),
            users.create("Eve", other, "user", Idempotency(key, b"f" * 32)),
        ):
            with pytest.raises(StoreUnavailable, match=r"timeout\)$"):
                await write
        assert await users.find(other) is None
        assert await users.get(user_id) == document


async def test_a_replica_makes_it_durable_and_a_replay_waits_for_the_first(repository):
    with valkey(*AOF) as server:
        users = repository(server, Durability.REPLICATED)
        taken = fresh_email()
        with pytest.raises(NotDurable):
            await users.create("Ada", taken, "user", KEY)
        with pytest.raises(NotDurable):  # of another process, which has written nothing yet
            await repository(server, Durability.REPLICATED).create("Ada", taken, "user", KEY)
        expiry = server.command("PEXPIRETIME", "{users:0}:idem:a-key")
        with valkey(f"replicaof 127.0.0.1 {server.port}") as replica:
            await asyncio.to_thread(
                replica.wait_for, lambda client: client.info("replication")["master_link_status"] == "up"
            )
            document, replayed = await users.create("Ada", taken, "user", KEY)
            assert replayed
            assert replica.command("GET", f"{{users:0}}:user:{document[7:43].decode()}") == document
        assert server.command("PEXPIRETIME", "{users:0}:idem:a-key") == expiry


async def test_a_replay_by_another_process_waits_for_the_first_write(repository):
    with valkey(*AOF, "appendfsync no") as server:  # nothing is ever synced
        taken = fresh_email()
        first, second = repository(server, Durability.FSYNC), repository(server, Durability.FSYNC)
        creating = asyncio.ensure_future(first.create("Ada", taken, "user", KEY))
        async with asyncio.timeout(5):
            while await second.find(taken) is None:
                await asyncio.sleep(0.01)
        with pytest.raises(NotDurable):
            await second.create("Ada", taken, "user", KEY)
        with pytest.raises(NotDurable):
            await creating


async def test_close_ends_the_connections_of_reads_and_of_durable_writes(repository):
    with valkey(*AOF, "appendfsync always") as server:
        users = repository(server, Durability.FSYNC)
        await users.create("Ada", fresh_email(), "user")
        await users.store.count()
        assert len(server.client().client_list()) == 3
        await users.close()
        async with asyncio.timeout(5):
            while len(server.client().client_list()) > 1:
                await asyncio.sleep(0.01)


async def test_a_hung_server_is_reported_within_two_seconds(repository):
    with valkey(*AOF) as server:
        users = repository(server, Durability.FSYNC, seconds=1.0)
        await users.create("Ada", fresh_email(), "user")
        server.freeze()
        started = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught:
            await users.create("Ada", fresh_email(), "user")
        assert caught.value.uncertain
        assert time.monotonic() - started < 2.0
        server.thaw()


async def test_a_server_killed_while_a_write_waits_leaves_it_uncertain(repository):
    with valkey(*AOF, "appendfsync no") as server:
        users = repository(server, Durability.FSYNC)
        taken = fresh_email()
        waiting = asyncio.ensure_future(users.create("Ada", taken, "user"))
        async with asyncio.timeout(5):
            while await users.find(taken) is None:
                await asyncio.sleep(0.01)
        server.kill()
        with pytest.raises(NotDurable):
            await waiting


async def test_a_caller_that_gives_up_does_not_hold_up_the_next(repository):
    with valkey(*AOF, "appendfsync always") as server:
        users = repository(server, Durability.FSYNC)
        await users.create("Ada", fresh_email(), "user")
        given_up = asyncio.ensure_future(users.create("Ada", fresh_email(), "user"))
        await asyncio.sleep(0)
        given_up.cancel()
        await users.create("Ada", fresh_email(), "user")
        with pytest.raises(asyncio.CancelledError):
            await given_up


async def test_a_caller_without_time_gets_the_fate_of_its_write(repository):
    """Made and waiting; not sent, behind the wait of another; sent and not answered."""
    with valkey(*AOF, "appendfsync no") as server:
        users = repository(server, Durability.FSYNC, time_left=lambda seconds: 0.3)
        made = asyncio.ensure_future(users.create("Ada", fresh_email(), "user"))
        await asyncio.sleep(0.1)
        queued = asyncio.ensure_future(users.create("Ada", fresh_email(), "user"))
        with pytest.raises(NotDurable):
            await made
        with pytest.raises(StoreUnavailable) as caught:
            await queued
        assert not caught.value.uncertain
        assert await users.store.count() == 1
        await asyncio.sleep(1.2)
        server.freeze()
        with pytest.raises(StoreUnavailable) as caught:
            await users.create("Ada", fresh_email(), "user")
        assert caught.value.uncertain
        server.thaw()


async def test_a_server_without_a_file_is_logged_with_the_cure(repository, caplog):
    with valkey("appendonly no") as server:
        users = repository(server, Durability.FSYNC)
        with caplog.at_level(logging.ERROR), pytest.raises(StoreError):
            await users.probe()
        assert "appendonly" in caplog.text
        with pytest.raises(NotDurable):
            await users.create("Ada", fresh_email(), "user")
