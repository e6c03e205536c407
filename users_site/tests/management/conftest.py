"""A store of its own for the commands, empty before each test, and two ways to run them: here, and as a shell does."""

import os
import sys
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any, NamedTuple

import orjson
import pytest
from django.core.management import call_command, load_command_class
from redis import Redis

from common.cli import console
from tests.programs import manage
from tools.processes.store import Store, store
from users_site import identifiers
from users_site.models import User
from users_site.tests.repository.people import PARTITION


@pytest.fixture(scope="package")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real store for this package alone: `--clear` and `verify_users` concern a whole store."""
    with store(tmp_path_factory.mktemp("management")) as running:
        yield running


@pytest.fixture
def redis(own_store: Store, settings: Any) -> Iterator[Redis]:
    """A client of the empty store that the settings name."""
    settings.REDIS_URL = own_store.url
    with own_store.client() as client:
        client.flushall()
        yield client


@pytest.fixture(scope="package")
def target_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A second store, to move to."""
    with store(tmp_path_factory.mktemp("target")) as running:
        yield running


@pytest.fixture
def target(target_store: Store) -> Iterator[Redis]:
    """A client of it, empty."""
    with target_store.client() as client:
        client.flushall()
        yield client


Run = Callable[..., str]


@pytest.fixture
def run(redis: Redis) -> Run:
    """Runs a command in this process; its stdout. Raises CommandError."""

    def call(*command: str, **options: Any) -> str:
        out = StringIO()
        call_command(*command, stdout=out, stderr=StringIO(), **options)
        return out.getvalue()

    return call


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """The only line on stderr."""
        [line] = self.stderr.splitlines()
        return line


Argv = Callable[..., Done]


@pytest.fixture
def argv(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Argv:
    """Runs a command in this process with the words of a shell: a tenth of the time of a process of its own."""
    monkeypatch.setattr(console, "_log_to_stderr", lambda: None)
    monkeypatch.setattr("common.cli.console.signal.signal", lambda number, handler: None)

    def call(*command: str, stdin: str = "") -> Done:
        given, out, errors = (TextIOWrapper(BytesIO(text.encode()), write_through=True) for text in (stdin, "", ""))
        with monkeypatch.context() as patched:
            for name, stream in (("stdin", given), ("stdout", out), ("stderr", errors)):
                patched.setattr(sys, name, stream)
            code = 0
            try:
                load_command_class("users_site", command[0]).run_from_argv(["manage_users.py", *command])
            except SystemExit as end:
                code = int(end.code or 0)
        return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, errors)))

    return call


@pytest.fixture
def environment(own_store: Store, redis: Redis) -> dict[str, str]:
    """What a shell's commands need."""
    inherited = {
        name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "DATA_DIR"} or "COV" in name
    }
    return {
        **inherited,
        "REDIS_URL": own_store.url,
        "DEBUG": "false",
        "SECRET_KEY": "a key for tests only",
        "ALLOWED_HOSTS": "127.0.0.1",
    }


@pytest.fixture
def shell(environment: dict[str, str]) -> Argv:
    """Runs `manage_users.py` as a shell does, without a terminal."""

    def call(*command: str, **settings: str) -> Done:
        done = manage(*command, **environment | settings)
        return Done(done.returncode, done.stdout, done.stderr)

    return call


def a_user(number: int = 1, **changes: str) -> User:
    """A user as the API stores one, not in any store yet."""
    now = "2026-01-02T03:04:05.678901Z"
    fields = {"name": f"Ada X{'x' * (number % 50)}", "email": f"ada{number}@example.com", "role": "user"}
    times = {"created_at": now, "updated_at": now}
    return User(**({"id": identifiers.new_id(fields["email"])} | fields | times | changes))


def put(redis: Redis, user: User, document: bytes | None = None) -> User:
    """The user in the store: record, index entry, claim."""
    redis.set(PARTITION.record(user.id), document or user.document())
    redis.zadd(PARTITION.index, {user.id: 0})
    redis.set(PARTITION.claim(user.email), user.id)
    return user


def contents(redis: Redis) -> dict[bytes, Any]:
    """Everything in the store."""
    names = sorted(redis.scan_iter())
    return {n: redis.zrange(n, 0, -1, withscores=True) if n.endswith(b":ids") else redis.get(n) for n in names}


def parsed(text: str) -> Any:
    """A command's JSON."""
    return orjson.loads(text)
