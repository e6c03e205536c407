import asyncio
import gc
import threading

import pytest
import uvloop

from packages.redis_pipe import Address, Pipe

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def run(factory, coroutine):
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coroutine)


@pytest.mark.parametrize("second", LOOPS)
@pytest.mark.parametrize("first", LOOPS)
def test_no_socket_outlives_its_loop(server, first, second):
    connection = Pipe(Address.from_url(server.url), timeout=5, connect_timeout=5)

    async def use():
        return await connection.execute("echo", "ECHO", "hello")

    assert run(first, use()) == b"hello"
    assert run(second, use()) == b"hello"
    assert run(first, use()) == b"hello"
    gc.collect()  # an unclosed socket would warn here, and warnings are errors
    names = [client["name"] for client in server.client().client_list()]
    assert "redis-pipe" not in names


def test_two_running_loops_cannot_share_one(server):
    connection = Pipe(Address.from_url(server.url), timeout=5, connect_timeout=5)

    async def use_in_two_threads() -> None:
        await connection.ping()
        raised: list[BaseException] = []

        def other() -> None:
            try:
                asyncio.run(connection.ping())
            except RuntimeError as error:
                raised.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert "belongs to one event loop" in str(raised[0])
        await connection.ping()
        await connection.close()

    asyncio.run(use_in_two_threads())
