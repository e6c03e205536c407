"""What the server reads from a connection, and what it refuses."""

import asyncio
from typing import Any

import pytest

from common.tests.server.conftest import Running, answering, serving

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"
POST = GET.replace(b"GET", b"POST")
CHUNKS = b"1\r\na\r\n0\r\n"
JUDGED = {
    "a target of the limit": (b"GET /" + b"a" * 8189 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "a target above the limit": (b"GET /" + b"a" * 8190 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a target with a fragment": (b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a field of the limit": (GET + b"A: " + b"a" * 8185 + b"\r\n\r\n", 200),
    "a field above the limit": (GET + b"A: " + b"a" * 8186 + b"\r\n\r\n", 431),
    "100 fields": (GET + b"A: b\r\n" * 99 + b"\r\n", 200),
    "101 fields": (GET + b"A: b\r\n" * 100 + b"\r\n", 431),
    "HTTP/0.9": (b"GET /a HTTP/0.9\r\nHost: x\r\n\r\n", 400),
    "HTTP/1.0 without Host": (b"GET /a HTTP/1.0\r\n\r\n", 200),
    "chunked": (POST + b"Transfer-Encoding: CHUNKED\r\n\r\n" + CHUNKS + b"\r\n", 200),
    "chunked in HTTP/1.0": (b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"\r\n", 400),
    "a length of 5,000 digits": (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    "a length of 65 bits": (POST + b"Content-Length: 18446744073709551616\r\n\r\n", 400),
    "chunks of one byte": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 60_000 + b"0\r\n\r\n", 200),
    "a trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"A: b\r\n\r\n", 200),
}


def status(head: bytes) -> int:
    return int(head.split(b" ")[1])


@pytest.mark.parametrize(("request_bytes", "expected"), JUDGED.values(), ids=JUDGED.keys())
async def test_requests_are_served_or_refused(server: Running, request_bytes: bytes, expected: int) -> None:
    async with server.client() as client:
        client.send(request_bytes)
        assert status((await client.answer())[0]) == expected


async def test_fields_reach_the_application_in_lower_case_without_padding_and_underscores() -> None:
    found: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append((scope["headers"], scope["extensions"]))
        await answering(204)(scope, receive, send)

    async with serving(application) as server, server.client() as client:
        client.send(GET + b"X-A:\t b \t\r\nX_A: c\r\n\r\n")
        await client.answer()
        client.send(GET + b"A: b\r\n" * 120 + b"X-Request-ID: mine\r\n\r\n")
        await client.answer()
    assert found[0] == ([(b"host", b"x"), (b"x-a", b"b")], {})
    fields, extensions = found[1]
    assert extensions["refusal"]["status"] == 431
    assert (b"x-request-id", b"mine") in fields


async def test_a_head_behind_a_body_in_one_read_is_measured_from_its_own_first_byte(server: Running) -> None:
    async with server.client() as client:
        field = b"A: " + b"a" * 8000 + b"\r\n"
        client.send(POST + b"Content-Length: 50000\r\n\r\n" + b"a" * 50_000 + GET + field)
        await client.answer()
        await asyncio.sleep(0.1)
        client.send(field * 6)
        await asyncio.sleep(0.1)
        client.send(b"\r\n")
        assert status((await client.answer())[0]) == 200


async def test_a_method_is_never_read_in_part(server: Running) -> None:
    async with server.client() as client:
        client.send(b"GE")
        await asyncio.sleep(0.1)
        client.send(b"TX /a HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status((await client.answer())[0]) == 400


async def test_a_body_that_the_client_ends_early_is_not_answered(server: Running) -> None:
    async with server.client() as client:
        client.send(POST + b"Content-Length: 9\r\n\r\na")
        client.writer.write_eof()
        assert await client.rest() == b""


async def test_a_client_is_asked_for_the_body_that_it_holds_back(server: Running) -> None:
    async with server.client() as client:
        client.send(POST + b"Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n")
        assert (await client.answer())[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"a")
        assert (await client.answer())[1] == b"POST /a a"
        client.send(POST.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        await asyncio.sleep(0.1)
        client.send(b"a")
        assert b" 200 " in (await client.answer())[0]


async def test_an_unread_body_closes_the_connection_without_a_reset() -> None:
    async with serving(answering(413, (b"content-length", b"0"))) as server, server.client() as client:
        client.send(POST + b"Content-Length: 3000000\r\n\r\n" + b"a" * 1_000_000)
        head, _ = await client.answer()
        assert b"\r\nconnection: close\r\n" in head
        client.send(b"a" * 1_000_000)
        assert await client.rest() == b""


async def test_a_client_that_half_closed_gets_the_answers_to_all_its_requests() -> None:
    async with serving(answering(204, after=0.1)) as server, server.client() as client:
        client.send((GET + b"\r\n") * 3)
        client.writer.write_eof()
        assert (await client.rest()).count(b" 204 ") == 3
        async with asyncio.timeout(4):
            await server.until(lambda: not server.state.connections)


async def test_http_1_0_connections_are_kept_if_asked(server: Running) -> None:
    """`ab -k` waits for the field."""
    async with server.client() as client:
        for _ in range(2):
            client.send(b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            head, _ = await client.answer()
            assert b"\r\nconnection: keep-alive\r\n" in head
        client.send(b"GET /a HTTP/1.0\r\n\r\n")
        assert b"\r\nconnection: close\r\n" in await client.rest()


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("name", [b"X-A", b"X_A"])
async def test_a_head_above_the_limit_is_431_on_each_request(server: Running, before: int, name: bytes) -> None:
    field = name + b": " + b"a" * 8000 + b"\r\n"
    async with server.client() as client:
        for _ in range(before):
            client.send(GET + field * 7 + b"\r\n")
            assert status((await client.answer())[0]) == 200
        client.send(GET + field * 9 + b"\r\n")
        assert status((await client.answer())[0]) == 431


async def test_endless_trailers_are_431(server: Running) -> None:
    async with server.client() as client:
        client.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: " + b"a" * 300_000
        )
        await server.until(lambda: not server.state.tasks)


async def test_methods_unknown_to_the_parser_reach_the_application(server: Running) -> None:
    async with server.client() as client:
        for method in (b"BREW", b"GETX", b"GET"):
            client.send(method + b" /a HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.answer())[1] == method + b" /a "


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
UPGRADING = {
    "no body": GET + UPGRADE + b"\r\n",
    "counted": POST + UPGRADE + b"Content-Length: 5\r\n\r\nhello",
    "chunked": POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", UPGRADING.values(), ids=UPGRADING.keys())
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_request_that_asks_for_an_upgrade_and_the_next_are_served(
    server: Running, request_bytes: bytes, size: int
) -> None:
    """Java's HttpClient asks for HTTP/2 so with its first request."""
    sent = request_bytes + GET + b"\r\n"
    async with server.client() as client:
        for start in range(0, len(sent), size):
            client.send(sent[start : start + size])
            await asyncio.sleep(0)
        assert (await client.answer())[1] == (b"POST /a hello" if request_bytes.startswith(POST) else b"GET /a ")
        assert (await client.answer())[1] == b"GET /a "


async def test_too_many_pipelined_requests_end_with_400(server: Running) -> None:
    async with server.client() as client:
        client.send((GET + b"\r\n") * 110)
        answers = (await client.rest()).split(b"HTTP/1.1 ")[1:]
    assert [int(answer[:3]) for answer in answers] == [200] * 101 + [400]


async def test_a_malformed_chunk_refuses_a_request_that_is_being_read(server: Running) -> None:
    async with server.client() as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await server.until(lambda: bool(server.state.tasks))
        client.send(b"nonsense\r\n")
        await server.until(lambda: not server.state.tasks)


async def test_an_answer_to_head_has_no_body(server: Running) -> None:
    async with server.client() as client:
        client.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"Connection: close\r\n\r\n")
        answers = await client.rest()
    assert answers.count(b"content-length: ") == 2
    assert answers.count(b"HEAD /a") == 0
