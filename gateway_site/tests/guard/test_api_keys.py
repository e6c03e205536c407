"""AUTH=apikey: hashes in a file that is read again after a change, compared in constant time, with scopes and expiry."""

import asyncio
import hashlib
import os
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from common.http.problem import Problem
from gateway_site.guard import api_keys
from gateway_site.guard.api_keys import ApiKeys, create, parse, why
from gateway_site.guard.principal import READ, SCOPES, WRITE
from gateway_site.tests.guard.conftest import Keys, refusal
from tests.recording import Recording
from tests.serving import Served
from tests.wire import exchange, get


def status(gateway: Served, key: str) -> int:
    return exchange(gateway.port, get("/api/users", f"X-API-Key: {key}")).status


@pytest.mark.parametrize("field", ["X-API-Key: {}", "Authorization: Bearer {}", "authorization: bearer {}"])
def test_a_key_passes_in_either_field(guarded: Served, upstream: Recording, keys: Keys, field: str) -> None:
    assert exchange(guarded.port, get("/api/users", field.format(keys["reader"][0]))).status == 200
    assert upstream.next().values(b"x-authenticated-subject") == [b"key:reader"]


def test_the_same_key_in_both_fields_is_one_credential(guarded: Served, upstream: Recording, keys: Keys) -> None:
    """Generated clients send it so."""
    key = keys["reader"][0]
    assert exchange(guarded.port, get("/api/users", f"X-API-Key: {key}", f"Authorization: Bearer {key}")).status == 200


def wrong(key: str) -> dict[str, str]:
    other, _ = create("other", frozenset({READ}), None)
    return {
        "another secret": key[:17] + other[17:],
        "another id": other[:17] + key[17:],
        "one letter less": key[:-1],
        "one letter more": key + "A",
        "the last letter changed": key[:-1] + ("A" if key[-1] != "A" else "B"),
        "upper case": key.upper(),
        "the hash": hashlib.sha256(key.encode()).hexdigest(),
        "the prefix alone": "ugk_",
        "empty": "",
        "long": key * 50,
    }


@pytest.mark.parametrize("name", wrong("ugk_" + "0" * 60))
def test_a_wrong_key_is_refused(guarded: Served, keys: Keys, name: str) -> None:
    assert status(guarded, wrong(keys["reader"][0])[name]) == 401


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


async def test_a_key_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, line = create("known", frozenset({READ}), None)
    (tmp_path / "keys").write_text(line)
    known = ApiKeys(tmp_path / "keys", SCOPES)
    with refusal("unknown_key", "The API key is not known"):
        await known.check(b"another")
    assert await owner(known, key) == "key:known"
    monkeypatch.setattr(api_keys, "hashlib", None)
    assert await owner(known, key) == "key:known"


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


def reads(outcome: str) -> float:
    return REGISTRY.get_sample_value("auth_key_file_reads_total", {"outcome": outcome}) or 0.0


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
    known, before = ApiKeys(tmp_path / "data" / "keys", SCOPES), reads("ok")
    assert (await owner(known, first), await owner(known, second)) == ("key:one", None)
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").rename(tmp_path / "data")
    assert (await owner(known, first), await owner(known, second)) == (None, "key:two")
    assert [record.__dict__["fields"] for record in caplog.records if record.message == READ_AGAIN] == [{"keys": 1}]
    assert reads("ok") == before + 1


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
    failed = reads("failed")
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
    assert reads("failed") == failed + 1


def test_the_file_holds_no_key(keys: Keys, key_file: Path) -> None:
    content = key_file.read_text()
    for key, line in keys.values():
        assert key not in content
        assert key.split("_", 2)[2] not in content  # the secret may have a _ of its own
        assert line in content


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


def test_an_error_without_a_number_is_named() -> None:
    assert why(OSError("no number")) == "no number"


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"#" * api_keys.MAX_FILE_BYTES)
    ApiKeys(tmp_path / "keys", SCOPES)
    (tmp_path / "keys").write_bytes(b"#" * (api_keys.MAX_FILE_BYTES + 1))
    with pytest.raises(ValueError, match="larger"):
        ApiKeys(tmp_path / "keys", SCOPES)


async def test_the_time_of_a_refusal_reveals_nothing_of_the_key(tmp_path: Path) -> None:
    """An unknown id, a known one with a wrong secret, one with only the last letter wrong: the same time.

    Interleaved medians; a look-up that ends early, or a comparison letter by letter, would differ by half.
    """
    key, line = create("target", frozenset({READ}), None)
    (tmp_path / "keys").write_text(line)
    known = ApiKeys(tmp_path / "keys", SCOPES)
    stranger, _ = create("stranger", frozenset({READ}), None)
    guesses = [
        guess.encode() for guess in (stranger, key[:17] + stranger[17:], key[:-1] + ("A" if key[-1] != "A" else "B"))
    ]
    for _ in range(3):
        times: list[list[int]] = [[], [], []]
        for _ in range(3000):
            for guess, taken in zip(guesses, times, strict=True):
                began = time.perf_counter_ns()
                with suppress(Problem):
                    await known.check(guess)
                taken.append(time.perf_counter_ns() - began)
        medians = [statistics.median(taken) for taken in times]
        if max(medians) < 1.1 * min(medians):
            return
    pytest.fail(f"nanoseconds, by how much of the key was right: {medians}")
