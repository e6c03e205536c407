"""move_users: nothing is lost or doubled under writes, interruptions and mistakes."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management.base import CommandError
from redis import Redis, ResponseError

from tools.processes.service import ROOT
from tools.processes.store import Store
from users_site.models import User
from users_site.operations import moving
from users_site.operations.bulk import READ_BATCH, Bulk
from users_site.operations.changes import Changes
from users_site.operations.hold import Hold
from users_site.operations.moving import Move
from users_site.repository.keys import Layout
from users_site.tests.management.conftest import Argv, Run, a_user, contents, parsed, put
from users_site.tests.management.traffic import create, delete
from users_site.tests.repository.people import PARTITION

ENTRY = PARTITION.idempotency("a-key")


@pytest.fixture
def urls(redis: Redis, own_store: Store, target: Redis, target_store: Store) -> list[str]:
    return ["--from", own_store.url, "--to", target_store.url]


def users_of(redis: Redis) -> dict[bytes, Any]:
    """Everything but the hold."""
    return {name: value for name, value in contents(redis).items() if not name.endswith(b":epoch")}


def is_held(redis: Redis) -> bool:
    try:
        create(redis, a_user(email=f"held{time.monotonic_ns()}@example.com"))
    except ResponseError as error:
        assert str(error).startswith("EPOCH")
        return True
    return False


def test_everything_is_moved_byte_for_byte_and_the_old_store_refuses_writes(
    run: Run, redis: Redis, target: Redis, urls: list[str]
) -> None:
    run("seed_users", count=1200)
    redis.set(ENTRY, b"f" * 32 + put(redis, a_user(name='武 "x"')).document(), ex=1000)
    assert "1,201 users are equal in both stores" in run("move_users", *urls)
    assert users_of(target) == users_of(redis)
    assert redis.pexpiretime(ENTRY) == target.pexpiretime(ENTRY)
    assert is_held(redis)
    assert redis.ttl(PARTITION.epoch) == -1
    assert not is_held(target)


def test_called_off_the_old_store_takes_writes_again(run: Run, argv: Argv, redis: Redis, urls: list[str]) -> None:
    put(redis, a_user())
    told = parsed(run("move_users", *urls, "--format", "json"))
    assert (told["count"], told["stored"], told["removed"]) == (1, 1, 0)
    assert "accepts writes again" in argv("move_users", *urls, "--call-off").line
    assert not is_held(redis)
    assert "did not refuse writes" in argv("move_users", *urls, "--call-off").line


def test_killed_run_leaves_the_old_store_open_and_the_next_one_finishes(
    run: Run, redis: Redis, target: Redis, urls: list[str], environment: dict[str, str], settings: Any
) -> None:
    """To a store with 16 partitions."""
    layout = Layout(16)

    def moved() -> int:
        return sum(target.zcard(partition.index) for partition in layout.partitions)

    run("seed_users", count=6000)
    command = [sys.executable, "manage_users.py", "move_users", *urls]
    process = subprocess.Popen(command, cwd=ROOT, env=environment | {"PARTITIONS": "16"})
    until = time.monotonic() + 30
    while time.monotonic() < until and moved() < 1000:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert 1000 <= moved() < 6000
    assert not is_held(redis)
    first, second = (name.decode() for name in redis.zrange(PARTITION.index, 0, 1))
    document: Any = redis.get(PARTITION.record(first))
    delete(redis, User.from_document(document))  # copied already: it must be removed from the target
    other: Any = redis.get(PARTITION.record(second))
    redis.set(PARTITION.record(second), other.replace(b'"user"', b'"admin"'))
    settings.PARTITIONS = 16
    run("move_users", *urls)
    ids = [name.decode() for name in redis.zrange(PARTITION.index, 0, -1)]
    assert moved() == len(ids)
    found = target.mget([layout.of(user_id).record(user_id) for user_id in ids])
    assert found == redis.mget([PARTITION.record(user_id) for user_id in ids])
    settings.REDIS_URL = urls[-1]
    assert "everything agrees" in run("verify_users")


def test_users_written_to_during_the_copy_are_followed(
    run: Run, redis: Redis, target: Redis, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, follow = put(redis, a_user()), Move.follow
    changed = a_user(id=user.id, email=user.email, name="Eve").document()

    def after_a_write(self: Move) -> None:
        redis.set(PARTITION.record(user.id), changed)
        follow(self)
        assert target.get(PARTITION.record(user.id)) == changed

    monkeypatch.setattr(moving, "FEW", 0)
    monkeypatch.setattr(Move, "follow", after_a_write)
    run("move_users", *urls)


def test_interrupted_hold_is_lifted(run: Run, redis: Redis, urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    put(redis, a_user())

    def interrupted(self: Move) -> None:
        assert is_held(redis)
        assert 0 < redis.ttl(PARTITION.epoch) <= 10
        raise KeyboardInterrupt

    monkeypatch.setattr(Move, "_settle", interrupted)
    with pytest.raises(CommandError, match="stopped"):
        run("move_users", *urls)
    assert not is_held(redis)


def test_hold_that_expired_is_no_finished_move(
    run: Run, redis: Redis, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(redis, a_user())
    monkeypatch.setattr(Move, "_settle", lambda self: redis.delete(PARTITION.epoch))
    with pytest.raises(CommandError, match="expired: run the command again"):
        run("move_users", *urls)
    assert not is_held(redis)


def test_target_that_does_not_keep_a_change_is_no_finished_move(
    run: Run, redis: Redis, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = put(redis, a_user())

    def changed_at_the_last_moment(self: Hold) -> None:
        redis.set(PARTITION.record(user.id), a_user(id=user.id, email=user.email, name="Eve").document())

    monkeypatch.setattr(Hold, "begin", changed_at_the_last_moment)
    monkeypatch.setattr(moving, "replace", lambda store, entries: None)
    with pytest.raises(CommandError, match="does not keep"):
        run("move_users", *urls)


def test_lost_report_of_writes_stops_it(
    run: Run, redis: Redis, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(redis, a_user())
    take = Changes.take

    def cut(self: Changes) -> set[bytes]:
        redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        return take(self)

    monkeypatch.setattr(Changes, "take", cut)
    with pytest.raises(CommandError, match=r"lost: run the command again|closed"):
        run("move_users", *urls)
    assert not is_held(redis)


def test_reports_are_taken_between_scans(run: Run, redis: Redis, urls: list[str], monkeypatch: Any) -> None:
    """Left with the server for a minute, 8 MB of them would close the connection."""
    run("seed_users", count=1000)
    take, scan, taken, scanned = Changes.take, Bulk.scan, 0, []

    def counted(self: Changes) -> set[bytes]:
        nonlocal taken
        taken += 1
        return take(self)

    def watched(self: Bulk, kind: str = "") -> Iterator[list[bytes]]:
        for batch in scan(self, kind):
            scanned.append(taken)
            yield batch

    monkeypatch.setattr(Changes, "take", counted)
    monkeypatch.setattr(Bulk, "scan", watched)
    run("move_users", *urls)
    assert len(set(scanned)) == len(scanned) > 4 * 1000 / READ_BATCH


def test_store_that_is_emptied_meanwhile_stops_it(
    run: Run, redis: Redis, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(redis, a_user())
    monkeypatch.setattr(Move, "follow", lambda self: (redis.flushall(), self._collect()))
    with pytest.raises(CommandError, match="emptied"):
        run("move_users", *urls)


def test_store_with_users_of_its_own_is_left_alone(run: Run, redis: Redis, target: Redis, urls: list[str]) -> None:
    put(redis, a_user(1))
    put(target, a_user(2))
    before = contents(target)
    with pytest.raises(CommandError, match="holds users already: name an empty store"):
        run("move_users", *urls)
    assert contents(target) == before
    assert not is_held(redis)


@pytest.mark.parametrize(("damaged", "partitions"), [(b"junk", 1), (b"\xff", 1), (b"\xff", 16), (b"0190", 16)])
def test_index_entry_or_key_that_names_no_id_stops_it(
    run: Run, redis: Redis, urls: list[str], settings: Any, damaged: bytes, partitions: int
) -> None:
    settings.PARTITIONS = partitions
    redis.zadd(PARTITION.index, {b"0" + damaged: 0})
    redis.set(PARTITION.records.encode() + b"0" + damaged, "{}")
    with pytest.raises(CommandError, match="run verify_users"):
        run("move_users", *urls)
    redis.delete(PARTITION.index, PARTITION.records.encode() + b"0" + damaged)
    redis.set(PARTITION.made("").encode() + damaged, b"f" * 32 + b"-", ex=100)
    run("move_users", *urls)


def test_second_run_on_one_target_stops_the_first(
    run: Run, redis: Redis, target: Redis, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(redis, a_user())

    def overtaken(self: Move) -> None:
        monkeypatch.undo()
        run("move_users", *urls)
        create(target, a_user(email="new@example.com"))  # the service uses the target already
        self.copy()

    monkeypatch.setattr(Move, "follow", overtaken)
    with pytest.raises(CommandError, match="another run"):
        run("move_users", *urls)
    assert target.zcard(PARTITION.index) == 2
    assert is_held(redis)


def test_broken_record_stops_it(run: Run, redis: Redis, urls: list[str]) -> None:
    put(redis, a_user(), document=b"{")
    with pytest.raises(CommandError, match="run verify_users first"):
        run("move_users", *urls)
    assert not is_held(redis)
