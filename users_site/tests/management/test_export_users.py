"""export_users: its file, an interruption, and that the file on disk is never partial."""

import errno
import gzip
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from redis import Redis

from tools.processes.service import ROOT
from users_site.operations.bulk import Bulk
from users_site.tests.management.conftest import a_user, parsed, put
from users_site.tests.repository.people import HOME

Run = Callable[..., str]


def lines_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines(keepends=True)


def by_id(redis: Redis) -> list[bytes]:
    ids: Any = redis.zrange(HOME.index, 0, -1)
    found: Any = redis.mget([HOME.record(i.decode()) for i in ids])
    return [document + b"\n" for document in found]


@pytest.mark.parametrize("name", ["users.ndjson", "users.ndjson.gz"])
def test_file_holds_every_document_byte_for_byte_in_order_of_creation(
    run: Run, redis: Redis, tmp_path: Path, name: str
) -> None:
    run("seed_users", count=1200)
    put(redis, a_user(name='武 "x"'))
    run("export_users", str(tmp_path / name))
    header, *body, trailer = lines_of(tmp_path / name)
    assert parsed(header.decode())["format"] == "users-export"
    assert body == by_id(redis)
    assert parsed(trailer.decode()) == {"count": 1201, "sha256": hashlib.sha256(b"".join(body)).hexdigest()}
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_digest_is_printed(run: Run, redis: Redis, tmp_path: Path) -> None:
    put(redis, a_user())
    digest = hashlib.sha256(by_id(redis)[0]).hexdigest()
    assert digest in run("export_users", str(tmp_path / "a"))
    report = parsed(run("export_users", str(tmp_path / "b"), format="json"))
    assert (report["count"], report["sha256"]) == (1, digest)


def test_file_is_for_its_owner_only(run: Run, redis: Redis, tmp_path: Path) -> None:
    run("export_users", str(tmp_path / "a"))
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_same_users_give_the_same_bytes_but_for_the_header(run: Run, redis: Redis, tmp_path: Path) -> None:
    run("seed_users", count=10)
    for name in ("a", "b"):
        run("export_users", str(tmp_path / name))
    assert lines_of(tmp_path / "a")[1:] == lines_of(tmp_path / "b")[1:]


def test_stdout_is_the_export_alone(shell: Any, run: Run, redis: Redis) -> None:
    run("seed_users", count=3)
    done = shell("export_users", "-")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5
    assert "sha256" in done.stderr


def test_reader_that_goes_away_ends_it_quietly(shell: Any, run: Run, environment: dict[str, str]) -> None:
    run("seed_users", count=3000)
    command = f"'{sys.executable}' manage_users.py export_users - | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1:] == ["1"]
    assert done.stderr == ""


def test_broken_record_stops_it_and_leaves_no_file(run: Run, redis: Redis, tmp_path: Path) -> None:
    user = put(redis, a_user(1))
    redis.set(HOME.record(user.id), b'{"a":\n1}')
    with pytest.raises(CommandError, match=user.id):
        run("export_users", str(tmp_path / "a"))
    assert not (tmp_path / "a").exists()


def test_broken_records_can_be_left_out(run: Run, redis: Redis, tmp_path: Path) -> None:
    good, bad = put(redis, a_user(1)), put(redis, a_user(2))
    redis.set(HOME.record(bad.id), b"{")
    report = parsed(run("export_users", str(tmp_path / "a"), skip_broken=True, format="json"))
    assert (report["count"], report["skipped"]) == (1, 1)
    assert lines_of(tmp_path / "a")[1] == good.document() + b"\n"


def test_older_file_stays_until_the_new_one_is_whole(run: Run, redis: Redis, tmp_path: Path) -> None:
    path = tmp_path / "a"
    run("export_users", str(path))
    before = path.read_bytes()
    redis.set(HOME.record(put(redis, a_user()).id), b"{")
    with pytest.raises(CommandError):
        run("export_users", str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["users", "users.gz"])
@pytest.mark.parametrize("cut", [0.2, 0.55, 0.9999])
def test_resumed_export_is_the_one_that_was_not_stopped(
    run: Run, redis: Redis, tmp_path: Path, name: str, cut: float
) -> None:
    run("seed_users", count=2500)
    run("export_users", str(tmp_path / name))
    whole = (tmp_path / name).read_bytes()
    expected = lines_of(tmp_path / name)
    (tmp_path / f"{name}.part").write_bytes(whole[: int(len(whole) * cut)])
    (tmp_path / name).unlink()
    put(redis, a_user(2, id="ffffffff-ffff-7fff-bfff-ffffffffffff"))  # created after the first start: not in it
    run("export_users", str(tmp_path / name), resume=True)
    assert lines_of(tmp_path / name)[1:] == expected[1:]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_resume_without_a_stopped_run_is_refused(run: Run, redis: Redis, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no .*\.part"):
        run("export_users", str(tmp_path / "a"), resume=True)


def test_compression_we_do_not_have_is_refused(run: Run, redis: Redis, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="gzip"):
        run("export_users", str(tmp_path / "a.zst"))


def test_ctrl_c_reports_the_position_and_resume_continues(
    run: Run, redis: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    run("seed_users", count=15_000)
    path, part = tmp_path / "a.gz", tmp_path / "a.gz.part"
    process = subprocess.Popen(
        [sys.executable, "manage_users.py", "export_users", str(path)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and not (part.exists() and part.stat().st_size > 100_000):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "error: stopped after" in errors
    assert len(errors.strip().splitlines()) == 1
    assert not path.exists()
    run("export_users", str(path), resume=True)
    assert lines_of(path)[1:-1] == by_id(redis)


def test_user_deleted_between_two_reads_is_left_out(
    run: Run, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, pipeline = put(redis, a_user(1)), Bulk.pipeline

    def late(bulk: Bulk, operation: str, commands: Any) -> Any:
        replies = pipeline(bulk, operation, commands)
        if operation == "ids":
            redis.delete(HOME.record(user.id), HOME.claim(user.email))
            redis.zrem(HOME.index, user.id)
        return replies

    monkeypatch.setattr(Bulk, "pipeline", late)
    run("export_users", str(tmp_path / "a"))
    assert len(lines_of(tmp_path / "a")) == 2


def index_lost(redis: Redis, user_id: str) -> None:
    redis.delete(HOME.index)


def index_entry_lost(redis: Redis, user_id: str) -> None:
    redis.zrem(HOME.index, user_id)


def index_entry_misplaced(redis: Redis, user_id: str) -> None:
    redis.zadd(HOME.index, {user_id: 1})


def record_lost(redis: Redis, user_id: str) -> None:
    redis.delete(HOME.record(user_id))


@pytest.mark.parametrize("damage", [index_lost, index_entry_lost, index_entry_misplaced, record_lost])
def test_export_of_a_damaged_store_fails_and_keeps_the_good_file(
    run: Run, redis: Redis, tmp_path: Path, damage: Callable[[Redis, str], None]
) -> None:
    users, path = [put(redis, a_user(number)) for number in range(50)], tmp_path / "a"
    run("export_users", str(path))
    good = path.read_bytes()
    damage(redis, users[25].id)
    with pytest.raises(CommandError, match="run verify_users --repair first"):
        run("export_users", str(path))
    assert path.read_bytes() == good
    if damage is not record_lost:
        with pytest.raises(CommandError):
            run("verify_users", repair=False)
        run("verify_users", repair=True)
        run("export_users", str(path))
        assert lines_of(path)[1:] == good.splitlines(keepends=True)[1:]


def test_damaged_store_on_stdout_gets_no_trailer(shell: Any, redis: Redis) -> None:
    put(redis, a_user())
    redis.delete(HOME.index)
    done = shell("export_users", "-")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1


def test_foreign_member_of_the_index_stops_it_where_users_may_be(run: Run, redis: Redis, tmp_path: Path) -> None:
    put(redis, a_user())
    redis.zadd(HOME.index, {b"\xff\xfe": 0})  # above all ids
    run("export_users", str(tmp_path / "a"))
    redis.zadd(HOME.index, {b"00\xff": 0})
    with pytest.raises(CommandError, match="whose record is missing"):
        run("export_users", str(tmp_path / "a"))


@pytest.mark.parametrize("name", ["a", "a.gz"])
@pytest.mark.parametrize("left", [b"", gzip.compress(b"", mtime=0)[:10]], ids=["empty", "cut off"])
def test_resume_of_an_empty_part_starts_over(run: Run, redis: Redis, tmp_path: Path, name: str, left: bytes) -> None:
    put(redis, a_user())
    (tmp_path / f"{name}.part").write_bytes(left if name == "a.gz" else b"")
    run("export_users", str(tmp_path / name), resume=True)
    assert lines_of(tmp_path / name)[1:-1] == by_id(redis)


def test_only_regular_files_are_written(run: Run, redis: Redis, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/full")):
        with pytest.raises(CommandError, match=f"{path} is not a regular file"):
            run("export_users", str(path))
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_full_disk_names_the_file(run: Run, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match=f"{tmp_path}/a.part: No space left on device"):
        run("export_users", str(tmp_path / "a"))
