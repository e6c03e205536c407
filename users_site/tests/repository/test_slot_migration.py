"""A slot that Valkey 9 moves at once, under writes; valkey#4545 reports that such a move may fail."""

import asyncio

import pytest

from packages.redis_pipe import Address, Options, connect, slot_of
from tools.processes.cluster import cluster, node_id, until
from tools.processes.valkey import Valkey
from users_site.repository.keys import Layout
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import email_in, walk

pytestmark = pytest.mark.slow

PARTITION, WRITERS = 3, 16


def moved(owner: Valkey, target: str, slot: int) -> str:
    """How the move of a slot ends."""
    owner.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target)

    def state() -> str:
        return str(owner.command("CLUSTER", "GETSLOTMIGRATIONS")[0][b"state"].decode())

    until(lambda: state() in {"failed", "success"})
    return state()


async def test_users_are_served_and_kept_when_a_move_fails_and_when_it_succeeds() -> None:
    layout = Layout(16)
    partition = layout.partitions[PARTITION]
    slot, made = slot_of(partition.index), set[str]()
    with cluster("repl-timeout 2") as nodes:
        owner = next(node for node in nodes.all if nodes.serves(node, slot))
        target = next(node for node in nodes.all if node not in {owner, nodes.replica})
        target_id = node_id(target)
        pipe = connect(Address.from_url(nodes.url), partition.index, Options(10.0, 10.0))
        users = UserRepository(Store(pipe, layout=layout))

        async def write() -> None:
            while True:
                document, _ = await users.create("Ada", email_in(users, PARTITION), "user")
                made.add(document[7:43].decode())

        async with asyncio.timeout(60):
            writers = [asyncio.ensure_future(write()) for _ in range(WRITERS)]
            while not made:
                await asyncio.sleep(0.01)
            target.freeze()
            before = len(made)
            assert await asyncio.to_thread(moved, owner, target_id, slot) == "failed"
            assert len(made) > before
            target.thaw()
            await asyncio.to_thread(nodes.until_settled)
            assert await asyncio.to_thread(moved, owner, target_id, slot) == "success"
            before = len(made)
            while len(made) < before + WRITERS:
                await asyncio.sleep(0.01)
            for writer in writers:
                writer.cancel()
            errors = [
                error
                for error in await asyncio.gather(*writers, return_exceptions=True)
                if isinstance(error, Exception)
            ]
            assert not errors
            assert await users.store.count() >= len(made)
            assert made <= {*await walk(users, 100, "older")}
        await users.close()
