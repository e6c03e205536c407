"""However the network splits the bytes of a connection, the server understands the same requests."""

import asyncio
import itertools
import re
from typing import Any
from unittest import mock

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from common.server.protocol import Protocol
from common.tests.hostile.test_fuzz import PIECES, SEEDS
from common.tests.server.conftest import echo
from tests.damaged import damaged

pytestmark = pytest.mark.slow


class Transport:
    """Collects what the server writes."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.is_closed

    def abort(self) -> None:
        self.is_closed = True

    def get_extra_info(self, name: str) -> None:
        return None

    close = abort
    write_eof = pause_reading = resume_reading = mock.Mock()


async def served(pieces: list[bytes]) -> bytes:
    """The answers to these pieces, each read after the server has done with the one before."""
    config = uvicorn.Config(echo, lifespan="off", log_config=None)
    config.load()
    transport: Any = Transport()
    protocol = Protocol(config, ServerState())
    protocol.connection_made(transport)
    for piece in pieces:
        protocol.get_buffer(-1)[: len(piece)] = piece
        protocol.buffer_updated(len(piece))
        for _ in range(20):
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return bytes(transport.written)


def outcome(written: bytes) -> list[bytes]:
    """The answers up to the first refusal. A method that httptools does not know is refused if it is split or pipelined."""
    answers = written.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").split(b"HTTP/1.1 ")[1:]
    known = re.compile(rb"200 .*\r\n\r\n(GET|POST) ", re.DOTALL).match
    served = list(itertools.takewhile(known, answers))
    return [*served, b"refused"] if len(served) < len(answers) else served


@settings(max_examples=300, deadline=None)
@given(damaged(SEEDS, PIECES), st.data())
def test_a_split_changes_no_answer(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]
    whole, split = asyncio.run(served([data])), asyncio.run(served(pieces))
    assert outcome(whole) == outcome(split)
