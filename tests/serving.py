"""A site served in this process on a port of loopback: with settings of a test's own it starts in milliseconds.

Plain uvicorn replaces the server: for tests of the server itself, start a process (tools/processes/service.py).
"""

import asyncio
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import orjson
import uvicorn

from common.observability import json_logging
from tests.in_process import built
from tests.log_lines import Line

SECONDS = 15


@dataclass(frozen=True, slots=True)
class Served:
    """Where it listens, and the file with the log lines of this process while sites are served."""

    port: int
    url: str
    log: Path


_folder = tempfile.TemporaryDirectory(prefix="served-")
LOG = Path(_folder.name) / "log"
_writing: list[str] = []


@contextmanager
def serving(site: str, **environment: str) -> Iterator[Served]:
    """The site under these settings, which hold in this process until the end. Raises SettingError."""
    with built(site, **environment) as application, _logging_to(LOG), socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; else a second write waits 40 ms
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                http="httptools",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )
        thread = threading.Thread(target=asyncio.run, args=(server.serve([sock]),), daemon=True)
        thread.start()
        port: int = sock.getsockname()[1]
        try:
            yield Served(port, f"http://127.0.0.1:{port}", LOG)
        finally:
            server.should_exit = True
            thread.join(SECONDS)
            assert not thread.is_alive(), "the site did not stop"


@contextmanager
def logged() -> Iterator[list[Line]]:
    """The log lines of this process until the end."""
    found: list[Line] = []
    with mock.patch.object(json_logging.stdout, "write", lambda line: found.append(orjson.loads(line))):
        yield found


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    if not _writing:
        path.write_bytes(b"")  # a request ID may come again in a later test
    with path.open("ab", buffering=0) as file:
        _writing.append(path.name)
        try:
            with mock.patch.object(json_logging.stdout, "write", file.write):
                yield
        finally:
            _writing.pop()
