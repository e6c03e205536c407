"""pytest plugin of `make test-fast`: a test that starts a process or leaves loopback is skipped when it tries."""

import ipaddress
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

PROCESS_EVENTS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system"}


settings.register_profile("fast", max_examples=10, deadline=None)
settings.load_profile("fast")

_running = False


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (PEP 578): it raises before the operation happens."""
    if not _running:
        return
    if event in PROCESS_EVENTS:
        pytest.skip("starts a process")
    if event == "socket.connect" and leaves_loopback(*arguments):
        pytest.skip("leaves loopback")


def leaves_loopback(connecting: socket.socket, address: Any) -> bool:
    if connecting.family not in {socket.AF_INET, socket.AF_INET6}:
        return False
    try:
        return not ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return bool(address[0] != "localhost")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    global _running
    _running = True
    try:
        return (yield)
    finally:
        _running = False


sys.addaudithook(forbid)
