"""export_users: its file, an interruption, and that the file on disk is never partial."""

import errno
import gzip
import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from redis import Redis

from tools.processes.service import ROOT
from users_site.operations.bulk import Bulk
from users_site.operations.export_file import ExportFileError, Writer, alone
from users_site.tests.management.conftest import Argv, Run, a_user, parsed, put
from users_site.tests.repository.people import PARTITION


def lines_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines(keepends=True)


def by_id(redis: Redis) -> list[bytes]:
    ids: Any = redis.zrange(PARTITION.index, 0, -1)
    found: Any = redis.mget([PARTITION.record(i.decode()) for i in ids])
    return [document + b"\n" for document in found]


@pytest.mark.parametrize("name", ["users.ndjson", "users.ndjson.gz"])
def test_file_holds_every_document_byte_for_byte_in_order_of_creation(
    run: Run, redis: Redis, tmp_path: Path, name: str
) -> None:
    run("seed_users", count=1200)
    put(redis, a_user(name='武 "x"'))
    report = parsed(run("export_users", str(tmp_path / name), format="json"))
    header, *body, trailer = lines_of(tmp_path / name)
    assert parsed(header.decode())["format"] == "users-export"
    assert body == by_id(redis)
    digest = hashlib.sha256(b"".join(body)).hexdigest()
    assert parsed(trailer.decode()) == {"count": 1201, "sha256": digest}
    assert (report["count"], report["sha256"]) == (1201, digest)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert digest in run("export_users", str(tmp_path / "again"))
    assert lines_of(tmp_path / "again")[1:] == [*body, trailer]


def test_stdout_is_the_export_alone(argv: Argv, redis: Redis) -> None:
    user = put(redis, a_user())
    done = argv("export_users", "-")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:-1] == [user.document().decode()]
    assert "sha256" in done.stderr
    redis.delete(PARTITION.index)
    damaged = argv("export_users", "-")
    assert damaged.returncode == 1
    assert len(damaged.stdout.splitlines()) == 1, "no trailer"


def test_reader_that_goes_away_ends_it_quietly(run: Run, environment: dict[str, str]) -> None:
    run("seed_users", count=3000)
    command = f"'{sys.executable}' manage_users.py export_users - | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1:] == ["1"]
    assert done.stderr == ""


def test_broken_record_stops_it_or_is_left_out(run: Run, redis: Redis, tmp_path: Path) -> None:
    good, bad = put(redis, a_user(1)), put(redis, a_user(2))
    run("export_users", str(tmp_path / "a"))
    before = (tmp_path / "a").read_bytes()
    redis.set(PARTITION.record(bad.id), b"{")
    with pytest.raises(CommandError, match=bad.id):
        run("export_users", str(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == before
    report = parsed(run("export_users", str(tmp_path / "a"), skip_broken=True, format="json"))
    assert (report["count"], report["skipped"]) == (1, 1)
    assert lines_of(tmp_path / "a")[1] == good.document() + b"\n"


@pytest.mark.parametrize("name", ["users", "users.gz"])
@pytest.mark.parametrize("cut", [0.2, 0.55, 0.9999])
def test_resumed_export_is_the_one_that_was_not_stopped(
    run: Run, redis: Redis, tmp_path: Path, name: str, cut: float
) -> None:
    run("seed_users", count=600)
    run("export_users", str(tmp_path / name))
    whole = (tmp_path / name).read_bytes()
    expected = lines_of(tmp_path / name)
    (tmp_path / f"{name}.part").write_bytes(whole[: int(len(whole) * cut)])
    (tmp_path / name).unlink()
    put(redis, a_user(2, id="ffffffff-ffff-7fff-bfff-ffffffffffff"))  # created after the first start: not in it
    run("export_users", str(tmp_path / name), resume=True)
    assert lines_of(tmp_path / name)[1:] == expected[1:]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "options", "why"), [("a", {"resume": True}, r"no .*\.part"), ("a.zst", {}, "gzip")])
def test_what_cannot_be_done_is_refused(
    run: Run, redis: Redis, tmp_path: Path, name: str, options: dict[str, bool], why: str
) -> None:
    with pytest.raises(CommandError, match=why):
        run("export_users", str(tmp_path / name), **options)


def test_interrupted_export_reports_the_position_and_resume_continues(
    run: Run, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("seed_users", count=600)
    path, add = tmp_path / "a.gz", Writer.add

    def interrupted(self: Writer, documents: list[bytes], last: str) -> None:
        if self.count:
            raise KeyboardInterrupt
        add(self, documents, last)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "add", interrupted)
        with pytest.raises(CommandError, match=r"^stopped after .*200 of 600 users exported"):
            run("export_users", str(path))
    assert not path.exists()
    run("export_users", str(path), resume=True)
    assert lines_of(path)[1:-1] == by_id(redis)


@pytest.mark.parametrize(("moment", "exported"), [("ids", 0), ("scores", 1)])
def test_user_deleted_between_two_reads_is_no_damage(
    run: Run, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, exported: int
) -> None:
    """After the ids were read, or before their scores are."""
    user, pipeline = put(redis, a_user(1)), Bulk.pipeline

    def delete() -> None:
        redis.delete(PARTITION.record(user.id), PARTITION.claim(user.email))
        redis.zrem(PARTITION.index, user.id)

    def late(bulk: Bulk, operation: str, commands: Any) -> Any:
        if operation == moment == "scores":
            delete()
        replies = pipeline(bulk, operation, commands)
        if operation == moment == "ids":
            delete()
        return replies

    monkeypatch.setattr(Bulk, "pipeline", late)
    run("export_users", str(tmp_path / "a"))
    assert len(lines_of(tmp_path / "a")) == 2 + exported


DAMAGES: dict[str, Callable[[Redis, str], object]] = {
    "index lost": lambda redis, user_id: redis.delete(PARTITION.index),
    "index entry lost": lambda redis, user_id: redis.zrem(PARTITION.index, user_id),
    "index entry misplaced": lambda redis, user_id: redis.zadd(PARTITION.index, {user_id: 1}),
    "record lost": lambda redis, user_id: redis.delete(PARTITION.record(user_id)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_export_of_a_damaged_store_fails_and_keeps_the_good_file(
    run: Run, redis: Redis, tmp_path: Path, damage: str
) -> None:
    users, path = [put(redis, a_user(number)) for number in range(50)], tmp_path / "a"
    run("export_users", str(path))
    good = path.read_bytes()
    DAMAGES[damage](redis, users[25].id)
    with pytest.raises(CommandError, match="run verify_users --repair first"):
        run("export_users", str(path))
    assert path.read_bytes() == good
    if damage != "record lost":
        run("verify_users", repair=True)
        run("export_users", str(path))
        assert lines_of(path)[1:] == good.splitlines(keepends=True)[1:]


def test_foreign_member_of_the_index_stops_it_where_users_may_be(run: Run, redis: Redis, tmp_path: Path) -> None:
    put(redis, a_user())
    redis.zadd(PARTITION.index, {b"\xff\xfe": 0})  # above all ids
    run("export_users", str(tmp_path / "a"))
    redis.zadd(PARTITION.index, {b"00\xff": 0})
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


def test_two_exports_to_one_file_exclude_each_other(
    run: Run, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(redis, a_user())
    path, whole = tmp_path / "a", Writer.finish

    def finish(self: Writer) -> str:
        with pytest.raises(ExportFileError, match="another export_users"), alone(path):
            pass
        return whole(self)

    monkeypatch.setattr(Writer, "finish", finish)
    run("export_users", str(path))
    assert lines_of(path)[1:-1] == by_id(redis)
    with alone(path):
        for resume in (False, True):
            with pytest.raises(CommandError, match=f"another export_users writes {path}: wait for it"):
                run("export_users", str(path), resume=resume)
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_names_the_file(run: Run, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match=f"{tmp_path}/a.part: No space left on device"):
        run("export_users", str(tmp_path / "a"))
