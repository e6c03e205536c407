"""Users for tests of the repository."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import orjson

from users_site.models import User
from users_site.repository.claims import SWEEP_AFTER_MS, now_ms
from users_site.repository.keys import Layout, Partition
from users_site.repository.pages import Page, Position
from users_site.repository.sweeping import Sweeper
from users_site.repository.users import UserRepository

UNKNOWN = "01900000-0000-7000-8000-000000000000"
PARTITION = Layout().partitions[0]
_numbers = count()


def fresh_email() -> str:
    """An address that no other test uses."""
    return f"user-{next(_numbers)}@example.org"


async def created(users: UserRepository, email: str = "", name: str = "Ada", role: str = "user") -> User:
    """A new user."""
    document, _ = await users.create(name, email or fresh_email(), role)
    return User.from_document(document)


def partition(users: UserRepository, user: User | str) -> Partition:
    """Where a user, or the claim of an email, lies."""
    layout = users.store.layout
    return layout.of_email(user) if isinstance(user, str) else layout.of(user.id)


def email_in(users: UserRepository, number: int) -> str:
    """A fresh email of this partition."""
    layout = users.store.layout
    return next(email for email in iter(fresh_email, "") if layout.of_email(email).number == number % layout.count)


async def user_in(users: UserRepository, number: int) -> User:
    """A new user of this partition."""
    return await created(users, email_in(users, number))


async def leftovers(users: UserRepository) -> list[bytes]:
    """Every key but those that outlive their users: epochs, and queues of claims to look at."""
    store = users.store
    found = [await store.execute(each, "keys", b"KEYS", f"{each}*") for each in store.layout.partitions]
    return [key for keys in found for key in keys if not key.endswith((b"}:epoch", b"}:suspects"))]


async def swept(users: UserRepository) -> None:
    """Looks at all claims that may be stale, as the service does a minute later."""
    for each in users.store.layout.partitions:
        await Sweeper(users.cross_partition).sweep(each, now_ms() + 2 * SWEEP_AFTER_MS)


def to(**fields: str) -> Callable[[User], User]:
    """The change of these fields."""
    return lambda user: replace(user, **fields)


def ids(page: Page) -> list[str]:
    """The ids on a page, in their order."""
    results: list[dict[str, Any]] = orjson.loads(b"[%b]" % page.documents)
    return [user["id"] for user in results]


async def walk(
    users: UserRepository,
    limit: int,
    direction: str,
    start: Position | None = None,
    between: Callable[[], Awaitable[object]] | None = None,
) -> list[str]:
    """All ids from `start` on, page by page; `between` pages something else happens."""
    seen: list[str] = []
    while True:
        page = await users.page(limit, start)
        seen += ids(page) if direction == "older" else ids(page)[::-1]
        start = getattr(page, direction)
        if start is None:
            return seen
        if between is not None:
            await between()
