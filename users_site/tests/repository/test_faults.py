"""Writes in several steps, with a primary that stalls, or whose last write a failover loses, at any of the steps.

Each partition that takes part has a real primary and a real replica of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from packages.redis_pipe import Address, Connection, Options, Pipe, slot_of
from tools.processes.valkey import Valkey, valkey
from users_contract.identity import identity
from users_site.models import User
from users_site.repository.entries import Idempotency
from users_site.repository.errors import EmailTaken, StoreUnavailable
from users_site.repository.keys import Layout
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import email_in, ids, swept, to

pytestmark = pytest.mark.slow

OWN, NEW, OLD = 3, 4, 5
"""The partitions: of the user, of its new email, of the email it has."""

TIMEOUT = 0.3
CHANGE = ("begin", "claim", "suspect", "update", "settle")
CREATE = ("reserve", "create", "finish")
DELETE = ("suspect", "delete")


class Shard:
    """A primary and its replica, which a failover exchanges."""

    def __init__(self, primary: Valkey, replica: Valkey) -> None:
        self.primary, self.replica = primary, replica
        self.follow()

    def follow(self) -> None:
        self.replica.command("REPLICAOF", "127.0.0.1", self.primary.port)
        self.replica.wait_for(lambda client: client.info("replication")["master_link_status"] == "up")

    def detach(self) -> None:
        """From now on the replica misses what is written."""
        self.primary.command("WAIT", 1, 1000)
        self.replica.command("REPLICAOF", "NO", "ONE")

    def fail_over(self) -> None:
        self.primary, self.replica = self.replica, self.primary


class Shards:
    """The stores of all partitions: OWN, NEW and OLD have their own, the others share the last one."""

    def __init__(self, shards: list[Shard]) -> None:
        self.shards = shards
        self.partitions = Layout(16).partitions
        self.slots = {
            slot_of(self.partitions[n].index): shard for n, shard in zip((OWN, NEW, OLD), shards, strict=False)
        }

    def of(self, key: str) -> Shard:
        return self.slots.get(slot_of(key), self.shards[-1])


class Router(Connection):
    """One process's connections, by key; calls `before` and `after` of a step around its first command."""

    def __init__(self, shards: Shards, key: str = "", root: "Router | None" = None) -> None:
        self.shards, self.key, self.root = shards, key, root or self
        self.pipes: dict[int, Pipe] = {}
        self.step, self.before, self.after = "", _nothing, _nothing

    def at(self, key: str) -> "Router":
        return Router(self.shards, key, self.root)

    async def issue(self, operation: str, *args: Any) -> Any:
        root, before, after = self.root, _nothing, _nothing
        if operation == root.step:
            root.step, before, after = "", root.before, root.after
        shard = self.shards.of(self.key)
        before(shard)
        try:
            return await root.pipe(shard.primary.port).issue(operation, *args)
        finally:
            after(shard)

    def pipe(self, port: int) -> Pipe:
        if port not in self.pipes:
            url = next(s.url for shard in self.shards.shards for s in (shard.primary, shard.replica) if s.port == port)
            self.pipes[port] = Pipe(Address.from_url(url), Options(TIMEOUT, 5))
        return self.pipes[port]

    async def close(self) -> None:
        for pipe in self.pipes.values():
            await pipe.close()


def _nothing(shard: Shard) -> None:
    """No fault."""


@pytest.fixture(scope="module")
def shards() -> Iterator[Shards]:
    with ExitStack() as stack:
        servers = [stack.enter_context(valkey()) for _ in range(8)]
        yield Shards([Shard(*pair) for pair in zip(servers[::2], servers[1::2], strict=True)])


@pytest.fixture
async def process(shards: Shards) -> AsyncIterator[Callable[[], UserRepository]]:
    """Makes the repository of one process; the stores are empty at first."""
    made: list[UserRepository] = []

    def make() -> UserRepository:
        made.append(UserRepository(Store(Router(shards), layout=Layout(16)), patience_ms=-1))
        return made[-1]

    for shard in shards.shards:
        shard.primary.command("FLUSHALL")
    yield make
    for users in made:
        await users.close()


def stall(users: UserRepository, step: str) -> list[Shard]:
    """The primary of this step hangs when it is sent."""
    frozen: list[Shard] = []

    def freeze(shard: Shard) -> None:
        shard.primary.freeze()
        frozen.append(shard)

    router: Any = users.store.pipe
    router.step, router.before = step, freeze
    return frozen


def lose(users: UserRepository, step: str) -> None:
    """The write of this step is answered, and lost by a failover behind it."""
    router: Any = users.store.pipe
    router.step, router.before, router.after = step, Shard.detach, Shard.fail_over


async def cross_partition_user(users: UserRepository) -> User:
    """Lives in OWN, with an email of OLD."""
    user = User.from_document((await users.create("Ada", email_in(users, OWN), "user"))[0])
    email = email_in(users, OLD)
    return User.from_document(await users.update(user.id, to(email=email), email=email))


async def taken_or_made(users: UserRepository, email: str) -> None:
    with suppress(EmailTaken):
        await users.create("Eve", email, "user")


async def require_sound(users: UserRepository) -> None:
    """Every user is found by its email, and no email has two users; also after a sweep, and everybody's email is kept."""
    for _ in range(2):
        found = [User.from_document(await users.get(user_id)) for user_id in ids(await users.page(100))]
        assert await users.store.count() == len(found) == len({identity(user.email) for user in found})
        for user in found:
            assert await users.find(user.email) == user.document()
            with pytest.raises(EmailTaken):
                await users.create("Eve", user.email, "user")
        await swept(users)


async def through(
    shards: Shards, users: UserRepository, other: UserRepository, fault: str, step: str, work: Any
) -> Any:
    """What `work` returns while the fault happens, or its error."""
    frozen: list[Shard] = []
    if fault == "stalled":
        frozen = stall(users, step)
    else:
        lose(users, step)
    try:
        outcome = await work()
    except (StoreUnavailable, EmailTaken) as error:
        outcome = error
    router: Any = users.store.pipe
    assert router.step == "", "the step was not reached"
    for shard in frozen:
        shard.primary.thaw()
        await asyncio.sleep(0.05)  # what it was sent is done now
    if fault == "lost":
        for shard in shards.shards:
            shard.follow()
    await other.store.pipe.close()
    return outcome


@pytest.mark.parametrize("fault", ["stalled", "lost"])
@pytest.mark.parametrize("step", CHANGE)
async def test_change_of_email(shards: Shards, process: Callable[[], UserRepository], fault: str, step: str) -> None:
    users, other = process(), process()
    user, email = await cross_partition_user(users), email_in(users, NEW)
    await through(shards, users, other, fault, step, lambda: users.update(user.id, to(email=email), email=email))
    for address in (email, user.email):
        await taken_or_made(other, address)
    await require_sound(other)


@pytest.mark.parametrize("fault", ["stalled", "lost"])
@pytest.mark.parametrize("step", DELETE)
async def test_delete_of_a_far_user(
    shards: Shards, process: Callable[[], UserRepository], fault: str, step: str
) -> None:
    users, other = process(), process()
    user = await cross_partition_user(users)
    await through(shards, users, other, fault, step, lambda: users.delete(user.id))
    await taken_or_made(other, user.email)
    await require_sound(other)


@pytest.mark.parametrize("fault", ["stalled", "lost"])
@pytest.mark.parametrize("step", CREATE)
async def test_create_with_a_key_of_another_partition(
    shards: Shards, process: Callable[[], UserRepository], fault: str, step: str
) -> None:
    """The replay answers as the first request did, and nobody is made twice."""
    users, other = process(), process()
    email, layout = email_in(users, NEW), users.store.layout
    key = next(f"key-{n}" for n in range(1000) if layout.of_key(f"key-{n}", "").number == OLD)
    request = Idempotency(key, b"f" * 32)
    first = await through(shards, users, other, fault, step, lambda: users.create("Ada", email, "user", request))
    document, replayed = await other.create("Ada", email, "user", request)
    if isinstance(first, tuple):
        assert (document, replayed) == (first[0], True)
    assert await other.find(email) == document
    await require_sound(other)
