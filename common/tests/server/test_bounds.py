"""Bounds on time, memory and connections."""

import asyncio
from typing import Any, cast

import pytest

from common.server import limits
from common.server.protocol import Protocol
from common.tests.server.conftest import Running, answering, serving, waiting

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"


async def test_a_head_that_takes_too_long_is_cut_off_on_each_request(server: Running) -> None:
    async with server.client() as fresh, server.client() as used, server.client() as silent:
        fresh.send(GET)
        used.send(GET + b"\r\n")
        await used.answer()
        used.send(GET)
        await asyncio.sleep(0.05)
        server.expire(limits.HEAD_SECONDS - 1)
        assert len(server.state.connections) == 3
        server.expire(limits.HEAD_SECONDS + 1)
        for client in (fresh, used, silent):
            assert await client.rest() == b""


async def test_a_connection_between_requests_may_be_idle_for_longer(server: Running) -> None:
    async with server.client() as client:
        client.send(GET + b"\r\n")
        await client.answer()
        server.expire(4)  # uvicorn's keep-alive is 5 s here
        client.send(GET + b"\r\n")
        await client.answer()
        server.expire(6)
        assert await client.rest() == b""


async def test_a_body_that_takes_too_long_is_cut_off(server: Running) -> None:
    async with server.client() as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"a" * 3000)
        await server.until(lambda: bool(server.state.tasks))
        await asyncio.sleep(0.05)
        server.expire(limits.BODY_SECONDS + 2)
        await asyncio.sleep(0.05)
        assert server.state.tasks
        server.expire(limits.BODY_SECONDS + 4)
        assert await client.rest() == b""
        await server.until(lambda: not server.state.tasks)


async def test_a_client_that_goes_away_cancels_its_pipelined_request() -> None:
    cancelled = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/a":
            await answering(204, after=0.1)(scope, receive, send)
            return
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    async with serving(application) as server:
        async with server.client() as client:
            client.send(GET + b"\r\n" + GET.replace(b"/a", b"/b") + b"\r\n")
            await client.answer()
        async with asyncio.timeout(10):
            await cancelled.wait()


@pytest.mark.slow
async def test_a_client_that_waits_with_its_sending_side_closed_is_not_taken_for_one_that_is_gone() -> None:
    async with serving(answering(200, (b"content-length", b"0"), after=1)) as server, server.client() as client:
        client.send(GET + b"\r\n")
        client.writer.write_eof()
        assert (await client.rest()).split(b"\r\n\r\n")[-2].startswith(b"HTTP/1.1 200 OK")


async def test_incomplete_requests_of_all_clients_together_are_bounded(server: Running, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "HELD_BYTES", 100_000)
    async with server.client() as first, server.client() as second:
        first.send(GET + b"X-A: " + b"a" * 60_000)
        await server.until(lambda: Protocol.held >= 50_000)
        second.send(GET + b"X-A: " + b"a" * 60_000)
        head, _ = await second.answer()
        assert head.startswith(b"HTTP/1.1 503 ")
    await server.until(lambda: Protocol.held == 0)


async def test_a_body_that_the_application_has_read_is_not_held() -> None:
    release = asyncio.Event()
    async with serving(waiting(release, reads=1)) as server, server.client() as client:
        before = Protocol.held
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + b"a" * 50_000)
        await server.until(lambda: any(each.exchange and each.exchange.is_read for each in server.connections()))
        assert Protocol.held == before
        release.set()
        await client.answer()


async def test_a_piece_of_an_incomplete_body_is_held_though_the_application_has_read_it() -> None:
    async with serving(waiting(asyncio.Event(), reads=2)) as server:
        before = Protocol.held
        async with server.client() as client:
            client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + b"a" * 1000)
            await server.until(lambda: any(each.exchange and not each.exchange.body for each in server.connections()))
            assert Protocol.held == before + 1000
        await server.until(lambda: Protocol.held == before)


async def test_a_new_connection_takes_the_place_of_an_idle_one(server: Running, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    async with server.client() as first, server.client() as second, server.client() as third:
        await asyncio.sleep(0.05)
        for client in (first, second, third):
            client.send(GET + b"\r\n")
        answers = [await client.rest() if client.reader.at_eof() else b"" for client in (first, second)]
        assert answers.count(b"") == 2
        assert (await third.answer())[1] == b"GET /a "
        assert len(server.state.connections) == 2


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("size", [-1, 1])
async def test_an_answer_that_is_not_as_long_as_promised_ends_the_connection(size: int, *, more: bool) -> None:
    async def wrong(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"a" * (2 + size), "more_body": more})

    async with serving(wrong) as server, server.client() as client:
        client.send((GET + b"\r\n") * 2)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.answer()


@pytest.mark.parametrize(
    ("status", "phrase"), [(412, b"Precondition Failed"), (431, b"Request Header Fields Too Large"), (599, b"")]
)
async def test_statuses_have_their_reason_phrase(status: int, phrase: bytes) -> None:
    async with serving(answering(status, (b"content-length", b"0"))) as server, server.client() as client:
        client.send(GET + b"\r\n")
        assert (await client.answer())[0].startswith(b"HTTP/1.1 %d %b\r\n" % (status, phrase))


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    sent = 0

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"a" * 65_536, "more_body": True})
            await asyncio.sleep(0)
            sent += 65_536

    async with serving(endless) as server, server.client() as client:
        cast("asyncio.Transport", client.writer.transport).pause_reading()
        client.send(GET + b"\r\n")
        await server.until(lambda: any(each.writable for each in server.connections()))
        written = sent
        await asyncio.sleep(0.05)
        assert sent == written, "the application waits"
        server.expire(limits.STALLED_SECONDS - 1)
        assert server.state.connections
        server.expire(limits.STALLED_SECONDS + 1)
        await server.until(lambda: not server.state.connections and not server.state.tasks)


async def test_a_body_that_the_application_does_not_read_stays_with_the_client() -> None:
    started = asyncio.Event()
    go_on = asyncio.Event()
    size = 0

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        nonlocal size
        started.set()
        await go_on.wait()
        more = True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        await answering(204)(scope, receive, send)

    async with serving(patient) as server, server.client() as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + b"a" * 9_000_000)
        await started.wait()
        await asyncio.sleep(0.1)
        assert Protocol.held <= limits.UNREAD_BODY_BYTES + 65_536
        server.expire(limits.BODY_SECONDS + 600)
        (connection,) = server.connections()
        connection.deadline = 0.0
        go_on.set()
        await server.until(lambda: not connection.is_paused)
        server.expire(limits.BODY_SECONDS - 1)
        assert b" 204 " in (await client.answer())[0]
    assert size == 9_000_000


async def test_a_head_that_begins_before_the_answer_is_cut_off_too() -> None:
    async with serving(answering(204, after=0.1)) as server, server.client() as client:
        client.send(GET + b"\r\n" + GET)
        await server.until(lambda: bool(server.state.tasks))
        (connection,) = server.connections()
        connection.idle_seconds = 1000
        await client.answer()
        await asyncio.sleep(0.05)
        server.expire(limits.HEAD_SECONDS + 1)
        assert await client.rest() == b""


async def test_input_after_the_last_request_is_discarded_while_it_is_served() -> None:
    async with serving(answering(204, after=0.3)) as server, server.client() as client:
        client.send(GET + b"Connection: close\r\n\r\n" + GET)
        await asyncio.sleep(0.1)
        client.send(b"A: " + b"a" * 200_000)
        assert (await client.rest()).count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("value", [b"b\r\nc: d", b"b\nc: d", b"b\rc: d"])
async def test_a_line_break_in_a_field_of_the_answer_is_not_sent(value: bytes) -> None:
    async with serving(answering(200, (b"x-a", value))) as server, server.client() as client:
        client.send(GET + b"\r\n")
        assert await client.rest() == b""


async def test_an_answer_without_a_body_has_no_framing_and_keeps_its_own_date() -> None:
    async with serving(answering(304, (b"date", b"then"), body=b"ignored")) as server, server.client() as client:
        server.state.default_headers = [(b"date", b"now")]
        client.send((GET + b"\r\n") * 2)
        for _ in range(2):
            assert (await client.answer())[0] == b"HTTP/1.1 304 Not Modified\r\ndate: then\r\n\r\n"
