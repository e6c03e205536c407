"""AUTH=apikey: hashes in a file that is read again after a change, compared in constant time, with scopes and expiry."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.http.problem import Problem
from gateway_site.guard import api_keys
from gateway_site.guard.api_keys import ApiKeys, create, parse
from gateway_site.guard.principal import READ, SCOPES, WRITE
from gateway_site.tests.guard.conftest import Keys, counted, refusal
from tests.recording import Recording
from tests.serving import Served
from tests.wire import exchange, get


@pytest.mark.parametrize(
    "fields",
    [
        ["X-API-Key: {}"],
        ["Authorization: Bearer {}"],
        ["authorization: bearer  {}"],
        ["X-API-Key: {}", "Authorization: Bearer {}"],  # as generated clients send it
    ],
)
def test_a_key_passes_in_either_field_or_in_both(
    guarded: Served, upstream: Recording, keys: Keys, fields: list[str]
) -> None:
    given = [field.format(keys["reader"][0]) for field in fields]
    assert exchange(guarded.port, get("/api/users", *given)).status == 200
    assert upstream.next().values(b"x-authenticated-subject") == [b"key:reader"]


async def test_a_wrong_key_is_hashed_whole_and_a_valid_one_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of a refusal reveals nothing of a key: whatever of it is right, its hash is looked up."""
    (key, line), (other, _) = (create("known", frozenset({READ}), None) for _ in range(2))
    (tmp_path / "keys").write_text(line)
    known, hashed = ApiKeys(tmp_path / "keys", SCOPES), list[bytes]()

    def sha256(text: bytes) -> Any:
        hashed.append(text)
        return hashlib.sha256(text)

    monkeypatch.setattr(api_keys, "hashlib", SimpleNamespace(sha256=sha256))
    digest = hashlib.sha256(key.encode()).hexdigest()
    wrong = [other, key[:17] + other[17:], other[:17] + key[17:], key[:-1], key + "A", key.upper(), digest, "ugk_", ""]
    for guess in wrong:
        with refusal("unknown_key", "The API key is not known"):
            await known.check(guess.encode())
    assert [await owner(known, key) for _ in range(2)] == ["key:known"] * 2
    assert hashed == [guess.encode() for guess in (*wrong, key)]


async def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    key, line = create("temporary", frozenset({READ}), expires)
    path = tmp_path / "keys"
    path.write_text(line)
    now = [expires.timestamp() - 1]
    known = ApiKeys(path, SCOPES, clock=lambda: now[0])
    assert (await known.check(key.encode())).label == "key:temporary"
    now[0] += 1
    with refusal("expired", "The API key has expired"):
        await known.check(key.encode())


def test_the_expiry_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        _, line = create("any", frozenset({READ}), datetime.fromisoformat("2027-12-31T02:00:00+02:00"))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line.split()[3] == "2027-12-31T00:00:00Z"


@pytest.fixture
def reads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "LOOK_SECONDS", 0.0)


READ_AGAIN = "AUTH_API_KEYS_FILE was read again"


async def owner(known: ApiKeys, key: str) -> str | None:
    try:
        return (await known.check(key.encode())).label
    except Problem:
        return None


@pytest.mark.usefixtures("reads_at_once")
async def test_the_file_is_read_again_after_a_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Kubernetes changes a mounted Secret by a symbolic link to another folder."""
    (first, first_line), (second, second_line) = (create(name, frozenset({READ}), None) for name in ("one", "two"))
    for folder, line in (("a", first_line), ("b", second_line)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "keys").write_text(line)
    (tmp_path / "data").symlink_to("a")
    known, before = ApiKeys(tmp_path / "data" / "keys", SCOPES), counted("auth_key_file_reads", outcome="ok")
    assert (await owner(known, first), await owner(known, second)) == ("key:one", None)
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").rename(tmp_path / "data")
    assert (await owner(known, first), await owner(known, second)) == (None, "key:two")
    assert [record.__dict__["fields"] for record in caplog.records if record.message == READ_AGAIN] == [{"keys": 1}]
    assert counted("auth_key_file_reads", outcome="ok") == before + 1


@pytest.mark.parametrize("first", [60.0, 0.0])
async def test_the_file_is_not_checked_at_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: float
) -> None:
    """Neither after the start nor after a check."""
    monkeypatch.setattr(api_keys, "LOOK_SECONDS", first)
    (tmp_path / "keys").write_text("")
    known = ApiKeys(tmp_path / "keys", SCOPES)
    monkeypatch.setattr(api_keys, "LOOK_SECONDS", 60.0)
    key, line = create("later", frozenset({READ}), None)
    assert await owner(known, key) is None
    (tmp_path / "keys").write_text(line)
    assert await owner(known, key) is None


@pytest.mark.usefixtures("reads_at_once")
async def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path: Path) -> None:
    """`cp -p`, `rsync -t` and archives keep both, and so does a change of permissions."""
    (first, first_line), (second, second_line) = (create("same", frozenset({READ}), None) for _ in range(2))
    path = tmp_path / "keys"
    path.write_text(first_line)
    known, was = ApiKeys(path, SCOPES), path.stat()
    assert await owner(known, first) == "key:same"
    await asyncio.sleep(0.02)  # the clock of a file system may tick in hundredths
    path.write_text(second_line)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (was.st_size, was.st_mtime_ns)
    assert (await owner(known, second), await owner(known, first)) == ("key:same", None)


@pytest.mark.usefixtures("reads_at_once")
@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (Path.unlink, "No such file"),
        (lambda path: path.write_text("nonsense in here"), "line 1: a line has five fields"),
        (lambda path: path.write_bytes(b"\xff"), "it is not UTF-8 text"),
    ],
)
async def test_an_unreadable_file_changes_nothing_and_is_logged(
    tmp_path: Path, break_it: Callable[[Path], object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    failed = counted("auth_key_file_reads", outcome="failed")
    key, line = create("one", frozenset({READ}), None)
    path = tmp_path / "keys"
    path.write_text(line)
    known = ApiKeys(path, SCOPES)
    break_it(path)
    assert await owner(known, key) == "key:one"
    (record,) = caplog.records
    assert record.message == "AUTH_API_KEYS_FILE cannot be read, the previous keys stay"
    assert record.__dict__["fields"]["reason"].startswith(reason)
    assert "nonsense" not in str(vars(record))
    assert counted("auth_key_file_reads", outcome="failed") == failed + 1


GOOD = create("good", frozenset({READ, WRITE}), None)[1]
EXPIRY = "the expiry is neither never nor a time like 2027-12-31T00:00:00Z"
HASH = "the hash is not sha256: and 64 hexadecimal digits"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (GOOD + " more", "a line has five fields: id, name, scopes, expiry, hash"),
        (GOOD.replace("never", "soon"), EXPIRY),
        (GOOD.replace("never", "2027-12-31T00:00:00"), EXPIRY),
        (GOOD.replace("users:read", "admin"), "scopes are users:read, users:write"),
        (GOOD.replace("sha256:", "md5:"), HASH),
        (GOOD[:-1], HASH),
        (GOOD.replace(" good ", " go/od "), "the id or the name is malformed"),
        ("X" + GOOD, "the id or the name is malformed"),
        (GOOD, r"the id [0-9a-f]{12} is taken"),
    ],
)
def test_a_malformed_line_is_named_by_its_number_and_not_quoted(line: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^line 3: {fault}$") as caught:
        parse(f"{GOOD}\n# comment\n{line}", SCOPES)
    assert line not in str(caught.value)


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"#" * (1 << 20))
    ApiKeys(tmp_path / "keys", SCOPES)
    (tmp_path / "keys").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(ValueError, match="larger"):
        ApiKeys(tmp_path / "keys", SCOPES)
