"""Reads that requests share, and replies that are waited for together."""

import asyncio
import gc
from contextvars import ContextVar

import pytest

from users_site.repository.shared import SharedReads
from users_site.repository.store import all_of

WHO = ContextVar("who", default="no request")


async def test_requests_of_one_moment_share_a_read_that_belongs_to_none_of_them() -> None:
    seen: list[tuple[int, str]] = []

    async def read(number: int) -> int:
        seen.append((number, WHO.get()))
        return number

    shared = SharedReads(read)
    WHO.set("a request")
    async with asyncio.timeout(0.5):
        assert await asyncio.gather(*map(shared.get, (1, 1, 2))) == [1, 1, 2]
    assert seen == [(1, "no request"), (2, "no request")]
    assert not shared._running
    assert not shared._next


async def test_requests_during_a_read_share_the_next_one() -> None:
    reads: list[asyncio.Future[str]] = []

    async def read() -> str:
        reads.append(asyncio.get_running_loop().create_future())
        return await reads[-1]

    async def sent(number: int) -> None:
        while len(reads) < number:
            await asyncio.sleep(0)

    shared = SharedReads(read)
    async with asyncio.timeout(0.5):
        early = asyncio.create_task(shared.get())
        await sent(1)
        late = [asyncio.create_task(shared.get()) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert len(reads) == 1
        reads[0].set_result("old")
        assert await early == "old"
        await sent(2)
        reads[1].set_result("new")
        assert await asyncio.gather(*late) == ["new", "new"]
    assert len(reads) == 2


async def test_the_first_error_of_several_replies_is_raised_and_none_goes_astray() -> None:
    astray: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: astray.append(context))

    async def fail(text: str) -> None:
        raise ValueError(text)

    late = asyncio.create_task(asyncio.sleep(60))
    failing = [asyncio.create_task(fail(text)) for text in ("first", "second")]
    with pytest.raises(ValueError, match="first"):
        await all_of([*failing, late])
    await asyncio.sleep(0)
    assert late.cancelled()
    failing.clear()
    gc.collect()
    assert astray == []
