"""The floor of an operation: the repository's commands for it, replayed by a client that does nothing else."""

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import hiredis

from bench import processes
from packages.redis_pipe import Address, Connection, Options, Script, Words, connect, pack, slot_of
from tools.processes.cluster import SLOTS
from users_site.models import User
from users_site.repository.keys import Layout
from users_site.repository.pages import Position, Side
from users_site.repository.store import Store
from users_site.repository.users import UserRepository

OPERATIONS, BATCH = 320, 32
"""A batch is one write to each primary, as in a busy service."""

Sent = list[tuple[int, bytes]]
"""Slots and commands."""


class Recording(Connection):
    def __init__(self, connection: Connection, slot: int, sent: Sent) -> None:
        self.connection, self.slot, self.sent = connection, slot, sent

    def at(self, key: str) -> "Recording":
        return Recording(self.connection.at(key), slot_of(key), self.sent)

    def issue(self, operation: str, words: Words, script: Script | None, timeout: float | None) -> Awaitable[Any]:
        self.sent.append((self.slot, pack(words)))
        return self.connection.issue(operation, words, script, timeout)

    async def close(self) -> None:
        await self.connection.close()


async def recorded(url: str, partitions: int, scenario: str, sample: list[User]) -> Sent:
    """The commands of the operation on each user. Changes are reverted, so that the commands can be replayed."""
    layout, sent = Layout(partitions), Sent()
    pipe = connect(Address.from_url(url), layout.partitions[0].index, Options(5, 5))
    users = UserRepository(Store(Recording(pipe, slot_of(layout.partitions[0].index), sent), layout=layout))
    await users.store.count()
    sent.clear()
    made: list[str] = []
    for user in sample:
        match scenario:
            case "read":
                await users.get(user.id)
            case "find":
                await users.find(user.email)
            case "create":
                document, _ = await users.create(user.name, f"{secrets.token_hex(8)}@example.com", user.role)
                made.append(User.from_document(document).id)
            case "change":
                await users.update(user.id, lambda user: replace(user, name=secrets.token_hex(8)))
            case _:
                await users.page(20, Position(Side.OLDER, user.id) if scenario == "pages" else None)
    commands = sent.copy()
    for user_id in made:
        await users.delete(user_id)
    if scenario == "change":
        for user in sample:
            home = layout.of(user.id)
            await pipe.at(home.index).execute("set", b"SET", home.record(user.id), user.document())
    await users.close()
    return commands


def replayed(pair: processes.Pair, commands: Sent, writes: int) -> float:
    """Sends the commands in so many writes to each primary; returns the CPU of this thread and of the store, in
    seconds."""
    primaries = pair.primaries
    sockets = [socket.create_connection(("127.0.0.1", server.port), 10) for server in primaries]
    readers = [hiredis.Reader() for _ in sockets]

    def cpu_seconds() -> float:
        in_stores = sum(processes.cpu_seconds(pid) for name, pid in pair.running.items() if "redis" in name)
        return time.thread_time() + in_stores

    def exchange(parts: list[list[bytes]]) -> None:
        for connection, words in zip(sockets, parts, strict=True):
            connection.sendall(b"".join(words))
        for connection, reader, words in zip(sockets, readers, parts, strict=True):
            for _ in words:
                while (reply := reader.gets()) is False:
                    reader.feed(connection.recv(1 << 18))
                if isinstance(reply, Exception):
                    raise reply

    exchange([[pack(("AUTH", server.password))] for server in primaries])
    batches: list[list[list[bytes]]] = [[[] for _ in sockets] for _ in range(writes)]
    for i, (slot, command) in enumerate(commands):
        batches[i * writes // len(commands)][slot * len(sockets) // SLOTS].append(command)
    started = cpu_seconds()
    for batch in batches:
        exchange(batch)
    return cpu_seconds() - started


def cost(pair: processes.Pair, partitions: int, scenario: str, sample: list[User]) -> float:
    """CPU of client and store in µs per operation."""
    some = sample[:OPERATIONS]
    commands = asyncio.run(recorded(pair.store["REDIS_URL"], partitions, scenario, some))
    return replayed(pair, commands, len(some) // BATCH or 1) / len(some) * 1e6
