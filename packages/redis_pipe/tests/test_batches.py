import asyncio

import pytest

from packages.redis_pipe import Durability, DurableWrites, NotDurable, Reason, Refused, Script, Unavailable
from packages.redis_pipe.tests.hostile import always
from packages.redis_pipe.tests.waiting import failures_of, fate_of, ping, reason_of, until_it_answers

pytestmark = pytest.mark.slow

STABLE = 1.1  # seconds; only an older connection looks the primary up again


def commands(*words, seconds=5.0):
    return [("x", word, seconds) for word in words]


async def test_a_batch_leaves_in_one_write_behind_what_waits_already(connect, hostile):
    store = await hostile(always(b"+OK\r\n"))
    connection = connect(store)
    await ping(connection)
    before = connection.execute("x", "GET", "before")
    replies = connection.batch(commands(("SET", "a", "x" * 300_000), ("SET", "b", 2), ("WAIT", 1, 10)))
    assert await asyncio.gather(before, *replies) == [b"OK"] * 4
    assert [words[0] for words in store.commands] == [b"PING", b"GET", b"PING", b"SET", b"SET", b"WAIT"]


async def test_one_error_is_that_commands_own(connect, server):
    connection = connect(server)
    replies = connection.batch(commands(("SET", "k", "text"), ("INCR", "k"), ("GET", "k")))
    first, second, third = await asyncio.gather(*replies, return_exceptions=True)
    assert (first, third) == (b"OK", b"text")
    assert isinstance(second, Refused)
    assert await connection.execute("echo", "ECHO", "next") == b"next"


async def test_a_batch_that_never_left_was_certainly_not_executed(connect, hostile):
    store = await hostile(always(b""), setup_reply=b"")
    errors = await failures_of(*connect(store, timeout=0.1).batch(commands(("SET", "a", 1), ("WAIT", 1, 10))))
    assert [(error.reason, error.uncertain) for error in errors] == [(Reason.TIMEOUT, False)] * 2
    assert store.commands == []


async def test_a_batch_whose_ping_is_refused_has_answers_of_its_own(connect, hostile):
    async def busy(words, writer):
        await asyncio.sleep(0.05)
        writer.write(b"-BUSY a script runs\r\n" if words == [b"PING"] else b"+OK\r\n")

    connection = connect(await hostile(busy))
    assert await asyncio.gather(*connection.batch(commands(("SET", "a", 1), ("WAIT", 1, 10)))) == [b"OK"] * 2


async def test_commands_of_a_batch_that_never_left_are_counted(connect):
    counted = []
    connection = connect("redis://127.0.0.1:1", observe=lambda labels, seconds: counted.append(labels))
    await failures_of(*connection.batch([("create", ("SET", "a", 1), 1.0), ("wait", ("WAIT", 1, 10), 1.0)]))
    assert counted == [(operation, "error") for operation in ("ping", "create", "wait")]


async def test_what_a_lost_connection_has_not_answered_is_not_asked_again(connect, hostile):
    async def break_off(words, writer):
        writer.write(b"+OK\r\n")
        if words == [b"SET", b"b", b"2"]:
            writer.transport.abort()

    store = await hostile(break_off)
    connection = connect(store)
    await ping(connection)
    written, waited = connection.batch(commands(("SET", "b", 2), ("WAIT", 1, 10)))
    assert await written == b"OK"
    assert await fate_of(waited) == (Reason.CLOSED, True)
    await until_it_answers(connection)
    assert [words[0] for words in store.commands].count(b"SET") == 1


async def test_a_demoted_primary_is_left_but_the_batch_is_not_sent_again(connect, hostile):
    async def demoted(words, writer):
        is_write = words[0] == b"SET" and store.opened == 1
        writer.write(b"-READONLY You can't write against a read only replica.\r\n" if is_write else b"+OK\r\n")

    store = await hostile(demoted)
    connection = connect(store)
    await ping(connection)
    await asyncio.sleep(STABLE)
    refused, waited = connection.batch(commands(("SET", "a", 1), ("WAIT", 1, 10)))
    assert await reason_of(refused) is Reason.READONLY
    assert await waited == b"OK"
    again, _ = connection.batch(commands(("SET", "a", 1), ("WAIT", 1, 10)))
    assert await again == b"OK"
    assert store.opened == 2


async def test_close_ends_the_writes_behind_a_round_and_opens_no_connection(connect, hostile):
    async def no_wait(words, writer):
        if words[0] != b"WAIT":
            writer.write(b"+OK\r\n")

    server = await hostile(no_wait)
    durable = DurableWrites(connect(server), Durability.REPLICATED, lambda outcome: True)
    writes = []
    for value in "ab":  # the second one waits for the round of the first
        writes.append(asyncio.create_task(durable.run(Script("set", ""), ["k"], [value])))
        await asyncio.sleep(0.05)
    await durable.close()
    first, second = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(first, NotDurable)
    assert isinstance(second, Unavailable)
    assert (second.reason, second.uncertain) == (Reason.CLOSED, False)
    await asyncio.sleep(0.2)
    assert server.open == 0
