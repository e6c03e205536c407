"""What the server reads from a connection, and what it refuses."""

import pytest

from common.server import limits
from common.tests.server.conftest import Running

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"


def status(head: bytes) -> int:
    return int(head.split(b" ")[1])


async def test_a_client_that_closes_its_sending_side_gets_its_answer(server: Running) -> None:
    async with server.client() as client:
        client.send(GET + b"\r\n")
        client.writer.write_eof()
        head, body = await client.answer()
        assert (status(head), body) == (200, b"GET /a ")
        assert await client.rest() == b""


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


async def test_an_endless_head_is_431_before_its_end(server: Running) -> None:
    async with server.client() as client:
        client.send(GET + b"X-A: " + b"a" * 200_000)
        assert status((await client.answer())[0]) == 431


async def test_endless_trailers_are_431(server: Running) -> None:
    async with server.client() as client:
        client.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: " + b"a" * 300_000
        )
        await server.until(lambda: not server.state.tasks)


async def test_a_body_in_tiny_chunks_is_read(server: Running) -> None:
    async with server.client() as client:
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(head + b"1\r\na\r\n" * 30_000 + b"0\r\n\r\n")
        assert (await client.answer())[1] == b"POST /a " + b"a" * 30_000


@pytest.mark.parametrize("length", [b"9" * 5000, b"18446744073709551616", b"0x10"])
async def test_an_absurd_length_is_400(server: Running, length: bytes) -> None:
    async with server.client() as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n")
        assert status((await client.answer())[0]) == 400


async def test_methods_that_the_parser_does_not_know_reach_the_application(server: Running) -> None:
    async with server.client() as client:
        for method in (b"BREW", b"GETX", b"GET"):
            client.send(method + b" /a HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.answer())[1] == method + b" /a "


async def test_requests_after_an_upgrade_are_served(server: Running) -> None:
    async with server.client() as client:
        client.send(GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + GET + b"\r\n")
        for _ in range(2):
            assert (await client.answer())[1] == b"GET /a "


async def test_too_many_pipelined_requests_end_with_400(server: Running) -> None:
    async with server.client() as client:
        client.send((GET + b"\r\n") * (limits.PIPELINED + 10))
        answers = (await client.rest()).split(b"HTTP/1.1 ")[1:]
    assert [int(answer[:3]) for answer in answers] == [200] * (limits.PIPELINED + 1) + [400]


async def test_what_follows_the_last_request_is_discarded(server: Running) -> None:
    async with server.client() as client:
        client.send(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n" + b"\0\0")
        assert (await client.rest()).count(b"HTTP/1.1") == 1


async def test_a_malformed_chunk_refuses_a_request_that_is_being_read(server: Running) -> None:
    async with server.client() as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await server.until(lambda: bool(server.state.tasks))
        client.send(b"nonsense\r\n")
        await server.until(lambda: not server.state.tasks)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"chunked\r\nTransfer-Encoding: gzip", b"identity"])
async def test_other_transfer_codings_are_400(server: Running, coding: bytes) -> None:
    async with server.client() as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n")
        assert status((await client.answer())[0]) == 400


async def test_an_answer_to_head_has_no_body(server: Running) -> None:
    async with server.client() as client:
        client.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"Connection: close\r\n\r\n")
        answers = await client.rest()
    assert answers.count(b"content-length: ") == 2
    assert answers.count(b"HEAD /a") == 0
