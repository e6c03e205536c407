import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from packages.redis_pipe import Pipe, Place, Reason, Unavailable


async def ping(connection: Pipe | Place) -> None:
    await connection.execute("ping", "PING")


async def until_it_answers(connection: Pipe | Place, seconds: float = 5.0) -> float:
    """Seconds until a ping is answered."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        try:
            await ping(connection)
        except Unavailable:
            await asyncio.sleep(0.02)
        else:
            return time.monotonic() - started
    raise TimeoutError


async def failures_of(*commands: Awaitable[Any]) -> list[Unavailable]:
    """The errors with which these commands end, in their order; each must end with one."""
    ended = await asyncio.gather(*commands, return_exceptions=True)
    errors = [error for error in ended if isinstance(error, Unavailable)]
    assert len(errors) == len(commands), ended
    return errors


async def fate_of(command: Awaitable[Any]) -> tuple[Reason, bool]:
    """Why a command fails, and whether it may have been executed."""
    [error] = await failures_of(command)
    return error.reason, error.uncertain


async def reason_of(command: Awaitable[Any]) -> Reason:
    """Why a command fails that was certainly not executed."""
    reason, is_uncertain = await fate_of(command)
    assert not is_uncertain
    return reason


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)
