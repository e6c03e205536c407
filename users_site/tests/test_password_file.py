"""REDIS_PASSWORD_FILE: a rotated password is found without a restart."""

import asyncio
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from common.config import environment
from tools.processes.valkey import Valkey, valkey
from users_site import repository
from users_site.operations.bulk import Bulk
from users_site.operations.walk import count as users_in
from users_site.repository.errors import StoreUnavailable
from users_site.repository.users import UserRepository


@pytest.fixture
def server(tmp_path: Path, settings):
    with valkey(password="first") as running:
        (tmp_path / "password").write_text("first\n")
        settings.REDIS_URL = f"redis://127.0.0.1:{running.port}/0"
        settings.REDIS_PASSWORD, settings.REDIS_PASSWORD_FILE = "at start", str(tmp_path / "password")
        yield running


def rotate(server: Valkey, file: Path) -> None:
    """The server has the new password only, and all connections are closed."""
    server.command("CONFIG", "SET", "requirepass", "second")
    server.password = "second"
    server.command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")


async def until(users: UserRepository, reason: str) -> None:
    """Waits until the store refuses for this reason; "": until it serves."""
    async with asyncio.timeout(10):
        while True:
            try:
                await users.probe()
                found = ""
            except StoreUnavailable as error:
                found = error.reason
            if found == reason:
                return
            await asyncio.sleep(0.1)


async def test_service_finds_the_rotated_password(server: Valkey, tmp_path: Path) -> None:
    users = repository.connect(django_settings, is_quiet=True)
    await users.probe()
    await asyncio.to_thread(rotate, server, tmp_path)
    await until(users, "auth")
    (tmp_path / "password").write_text("second\n")
    await until(users, "")
    assert "second" in environment.secrets
    await users.close()


def test_commands_read_the_file_for_each_connection(server: Valkey, tmp_path: Path) -> None:
    bulk = Bulk()
    assert users_in(bulk) == 0
    rotate(server, tmp_path)
    (tmp_path / "password").write_text("second")
    assert users_in(bulk) == 0
    bulk.close()


async def test_unreadable_file_is_one_line_however_often_it_is_tried(server: Valkey, tmp_path: Path, caplog) -> None:
    (tmp_path / "password").unlink()
    users = repository.connect(django_settings, is_quiet=True)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="auth"):
            await users.probe()
        await asyncio.sleep(0.6)
    assert caplog.messages.count("REDIS_PASSWORD_FILE cannot be read: mount a text file") == 1
    assert caplog.records[0].fields == {"error": "FileNotFoundError"}
    await users.close()
