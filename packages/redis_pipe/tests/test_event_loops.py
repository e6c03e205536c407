import asyncio
import gc
import time

import pytest
import uvloop

from packages.redis_pipe import Address, Options, Pipe
from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import failures_of, ping

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def run(factory, coroutine):
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coroutine)


@pytest.mark.parametrize("second", LOOPS)
@pytest.mark.parametrize("first", LOOPS)
def test_a_closed_pipe_may_be_used_in_another_loop(server, first, second):
    pipe = Pipe(Address.from_url(server.url), Options(5, 5))

    async def use():
        try:
            return await pipe.execute("echo", "ECHO", "hello")
        finally:
            await pipe.close()

    assert run(first, use()) == run(second, use()) == run(first, use()) == b"hello"
    gc.collect()  # an unclosed socket would warn here, and warnings are errors
    assert "redis-pipe" not in [client["name"] for client in server.client().client_list()]


def test_two_loops_cannot_share_one(server):
    pipe = Pipe(Address.from_url(server.url), Options(5, 5))

    async def use() -> None:
        await ping(pipe)
        with pytest.raises(RuntimeError, match="belongs to one event loop"):
            await asyncio.to_thread(asyncio.run, ping(pipe))
        await ping(pipe)
        await pipe.close()

    asyncio.run(use())


@pytest.mark.parametrize("steps", range(4))
async def test_close_while_an_attempt_times_out_leaves_a_pipe_that_connects_again(connect, hostile, steps):
    server = await hostile(always(b"+OK\r\n"), setup_reply=b"")
    connection = connect(server, connect_timeout=0.05)
    waiting = connection.execute("get", "GET", "k")
    await asyncio.sleep(0.02)
    time.sleep(0.05)  # noqa: ASYNC251 - the timer is due in the next step of the loop
    for _ in range(steps):
        await asyncio.sleep(0)
    await connection.close()
    await failures_of(waiting)
    server._setup_reply = b"+OK\r\n"
    assert await connection.execute("get", "GET", "k") == b"OK"
