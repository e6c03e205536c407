"""import_users: what it keeps, what it refuses, and which user stays in a conflict."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management.base import CommandError
from redis import Redis

from users_site.models import User
from users_site.repository.keys import Layout
from users_site.tests.management.conftest import Argv, Run, a_user, contents, parsed, put
from users_site.tests.repository.people import PARTITION


def export_of(users: list[User], **header: Any) -> bytes:
    documents = b"".join(user.document() + b"\n" for user in users)
    first = {"format": "users-export", "version": 1, "created_at": "2026-01-01", "until": "", **header}
    last = {"count": len(users), "sha256": hashlib.sha256(documents).hexdigest()}
    return orjson.dumps(first) + b"\n" + documents + orjson.dumps(last) + b"\n"


@pytest.fixture
def users() -> list[User]:
    """250 users in the order of their ids: three batches."""
    return [a_user(number) for number in range(250)]


@pytest.fixture
def file(tmp_path: Path, users: list[User]) -> Path:
    path = tmp_path / "users.ndjson"
    path.write_bytes(export_of(users))
    return path


def counts(report: str) -> dict[str, int]:
    return {name: parsed(report)[name] for name in ("created", "unchanged", "skipped", "replaced")}


def test_store_is_the_one_that_was_exported(run: Run, redis: Redis, tmp_path: Path) -> None:
    run("seed_users", count=730)
    put(redis, a_user(name='武 "x"', email="UPPER@Example.com"))
    before = contents(redis)
    exported = run("export_users", str(tmp_path / "a.gz"))
    redis.flushall()
    imported = run("import_users", str(tmp_path / "a.gz"))
    assert contents(redis) == before
    assert exported.split("sha256 ")[1] == imported.split("sha256 ")[1]
    run("verify_users")


def test_run_after_a_stop_continues_and_a_further_one_finds_everything_unchanged(
    run: Run, redis: Redis, file: Path, users: list[User]
) -> None:
    for user in users[:120]:
        put(redis, user)
    report = run("import_users", str(file), format="json")
    assert counts(report) == {"created": 130, "unchanged": 120, "skipped": 0, "replaced": 0}
    before = contents(redis)
    for policy in ("fail", "skip", "replace"):
        report = run("import_users", str(file), on_conflict=policy, format="json")
        assert counts(report) == {"created": 0, "unchanged": 250, "skipped": 0, "replaced": 0}
    assert contents(redis) == before


def test_header_of_another_program_needs_no_time(run: Run, redis: Redis, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"created_at":"2026-01-01","until":""', b'"by":"hand"', 1))
    assert "250 users" in run("import_users", str(file), check=True)
    assert counts(run("import_users", str(file), format="json"))["created"] == 250


def test_check_writes_nothing(run: Run, redis: Redis, file: Path) -> None:
    shown = run("import_users", str(file), check=True)
    assert f"{file} is whole: " in shown
    told = parsed(run("import_users", str(file), check=True, format="json"))
    assert told.keys() == {"file", "count", "sha256"}
    assert told["sha256"] in shown
    assert redis.dbsize() == 0


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut in a line": (lambda data: data[: len(data) // 2], "cut off"),
    "cut between two lines": (
        lambda data: b"".join(data.splitlines(keepends=True)[:90]),
        "line 90: the file is cut off",
    ),
    "trailer gone": (lambda data: data[: data.rindex(b'{"count"')], "cut off"),
    "letter changed": (lambda data: data.replace(b"ada77@", b"bda77@"), "digest"),
    "line gone": (
        lambda data: b"".join(data.splitlines(keepends=True)[:5] + data.splitlines(keepends=True)[6:]),
        "counts 250",
    ),
    "line broken": (lambda data: data.replace(b'"email":"ada77@', b'"email":"@'), "line 79: email is not valid"),
    "line twice": (
        lambda data: data.replace(data.splitlines(True)[6], data.splitlines(True)[6] * 2),
        "line 8: .* behind",
    ),
    "field more": (lambda data: data.replace(b'"role":"user",', b'"role":"user","x":"",', 1), "line 2: its fields"),
    "more behind": (lambda data: data + b"{}\n", "behind the trailer"),
    "line without end": (lambda data: data[:500] + b"x" * 20_000 + data[500:], "line 4: the line is too long"),
    "empty": (lambda data: b"", "^the file is cut off"),
    "foreign JSON": (lambda data: b'{"id":1}\n{"id":2}\n', "line 1: this is no file of export_users"),
    "foreign text": (lambda data: b"name,email\nAda,ada@example.com\n", "no file of export_users"),
    "newer version": (lambda data: data.replace(b'"version":1', b'"version":2'), "version 2"),
    "binary": (lambda data: bytes(range(256)) * 100, "line"),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_refused_before_anything_is_written(
    run: Run, redis: Redis, file: Path, damage: Callable[[bytes], bytes], why: str
) -> None:
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(CommandError, match=why):
        run("import_users", str(file))
    assert redis.dbsize() == 0


@pytest.mark.parametrize(
    "damage",
    [lambda d: d[: len(d) // 2], lambda d: d[:-4], lambda d: d[:200] + b"\x00\x01\x02" + d[203:], lambda d: b"plain\n"],
    ids=["half", "checksum gone", "bytes changed", "no gzip"],
)
def test_damaged_gzip_file_is_refused_before_anything_is_written(
    run: Run, redis: Redis, file: Path, damage: Callable[[bytes], bytes]
) -> None:
    packed = file.with_suffix(".gz")
    packed.write_bytes(damage(gzip.compress(file.read_bytes())))
    with pytest.raises(CommandError, match=r"cut off|damaged|line \d+"):
        run("import_users", str(packed))
    assert redis.dbsize() == 0


def test_damaged_pipe_stops_at_the_line_with_whole_users_only(argv: Argv, run: Run, redis: Redis, file: Path) -> None:
    data = file.read_text().replace('"email":"ada230@', '"email":"@')
    done = argv("import_users", "-", stdin=data)
    assert done.returncode == 1
    assert "line 232" in done.stderr
    assert redis.zcard(PARTITION.index) == 200
    run("verify_users")


CONFLICTS: dict[str, Callable[[User], User]] = {
    "another document": lambda user: a_user(id=user.id, name="Somebody Else", email="else@example.com"),
    "another holder": lambda user: a_user(email=user.email.upper()),
}


@pytest.mark.parametrize("there", CONFLICTS.values(), ids=CONFLICTS)
def test_user_in_conflict_stops_it_is_kept_or_is_replaced(
    run: Run, redis: Redis, file: Path, users: list[User], there: Callable[[User], User]
) -> None:
    mine = put(redis, there(users[120]))
    with pytest.raises(CommandError, match=r"line 122: .*nothing from line 102 on"):
        run("import_users", str(file))
    assert redis.zcard(PARTITION.index) == 101
    assert redis.get(PARTITION.record(mine.id)) == mine.document()
    report = run("import_users", str(file), on_conflict="skip", format="json")
    assert counts(report) == {"created": 149, "unchanged": 100, "skipped": 1, "replaced": 0}
    assert redis.get(PARTITION.record(mine.id)) == mine.document()
    report = run("import_users", str(file), on_conflict="replace", format="json")
    assert counts(report) == {"created": 0, "unchanged": 249, "skipped": 0, "replaced": 1}
    assert redis.zcard(PARTITION.index) == 250
    assert redis.dbsize() == 501
    assert redis.get(PARTITION.record(users[120].id)) == users[120].document()
    run("verify_users")


def test_replace_restores_swapped_emails(run: Run, redis: Redis, file: Path, users: list[User]) -> None:
    put(redis, a_user(id=users[3].id, email=users[4].email))
    put(redis, a_user(id=users[4].id, email=users[3].email))
    run("import_users", str(file), on_conflict="replace")
    assert redis.get(PARTITION.record(users[3].id)) == users[3].document()
    assert redis.get(PARTITION.record(users[4].id)) == users[4].document()
    assert redis.zcard(PARTITION.index) == 250
    run("verify_users")


def test_replace_does_not_harm_whom_a_stale_claim_names(run: Run, redis: Redis, file: Path, users: list[User]) -> None:
    bystander = put(redis, a_user(email="bystander@example.com"))
    redis.set(PARTITION.claim(users[7].email), bystander.id)
    run("import_users", str(file), on_conflict="replace")
    assert redis.get(PARTITION.record(bystander.id)) == bystander.document()
    run("verify_users")


@pytest.mark.parametrize("claim", [b"junk", b"\xff", b"z" * 36 + b" far", b"\xff" * 36 + b" 1-2"])
@pytest.mark.parametrize("partitions", [1, 16])
def test_claim_that_names_no_id_is_a_conflict(
    run: Run, redis: Redis, file: Path, users: list[User], settings: Any, partitions: int, claim: bytes
) -> None:
    settings.PARTITIONS, layout = partitions, Layout(partitions)
    users[3] = a_user(id=a_user(email="former@example.com").id, email="far@example.com")
    users.sort(key=lambda user: user.id)
    file.write_bytes(export_of(users))
    for user in users[7], next(user for user in users if user.email == "far@example.com"):
        redis.set(layout.of_email(user.email).claim(user.email), claim)
    with pytest.raises(CommandError, match="is held by"):
        run("import_users", str(file))
    assert counts(run("import_users", str(file), on_conflict="skip", format="json"))["skipped"] == 2
    assert counts(run("import_users", str(file), on_conflict="replace", format="json"))["replaced"] == 2
    assert "everything agrees" in run("verify_users")


def test_two_users_of_a_file_with_one_email_are_a_conflict(
    run: Run, redis: Redis, file: Path, users: list[User]
) -> None:
    users[5] = a_user(id=users[5].id, email=users[4].email.title())
    file.write_bytes(export_of(users))
    with pytest.raises(CommandError, match="line 7: the email"):
        run("import_users", str(file))
    assert redis.dbsize() == 0
    assert counts(run("import_users", str(file), on_conflict="skip", format="json"))["skipped"] == 1
    run("verify_users")
