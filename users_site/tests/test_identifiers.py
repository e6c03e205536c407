"""UUIDv7 ids that carry the bits of an email's identity."""

import time
import uuid
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from users_site import identifiers
from users_site.identifiers import bits_in, bits_of, canonical, new_id
from users_site.repository.keys import Layout


@pytest.fixture(autouse=True)
def _fresh_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifiers, "_last", (0, 0))


def ms_of(user_id: str) -> int:
    return uuid.UUID(user_id).int >> 80


def emails(count: int) -> list[str]:
    return [f"user-{number}@example.org" for number in range(count)]


def test_id_is_a_uuid_of_version_7_with_its_time() -> None:
    before = int(time.time() * 1000)
    user_id = new_id("ada@example.org")
    parsed = uuid.UUID(user_id)
    assert (str(parsed), parsed.version, parsed.variant) == (user_id, 7, uuid.RFC_4122)
    assert before <= ms_of(user_id) <= int(time.time() * 1000)


def test_id_holds_twelve_bits_of_the_identity() -> None:
    bits = zlib.crc32(b"ada@xn--bcher-kva.example") & 4095
    for spelling in ("ada@bücher.example", "ADA@B\u00dcCHER.EXAMPLE", "Ada@XN--BCHER-KVA.example"):
        assert int(new_id(spelling)[15:18], 16) == bits_of(spelling) == bits


def test_bits_are_never_zero() -> None:
    email = next(email for email in emails(100_000) if zlib.crc32(email.encode()) & 4095 == 0)
    assert bits_of(email) == 1


def test_ids_of_one_process_sort_by_creation() -> None:
    ids = [new_id(email) for email in emails(10_000)]
    assert ids == sorted(set(ids))


def test_ids_still_rise_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now, (low, high) = 1_700_000_000_000, sorted(emails(2), key=bits_of)
    # The clock, the email, and the time of the id: it is shared while the bits rise.
    steps = [(0, low, 0), (0, low, 1), (-100_000_000, high, 1), (-1, low, 2), (0, high, 2), (100, low, 100)]
    times = iter([(now + clock) / 1000 for clock, _, _ in steps])
    monkeypatch.setattr(time, "time", lambda: next(times))
    ids = [new_id(email) for _, email, _ in steps]
    assert ids == sorted(set(ids))
    assert [ms_of(user_id) - now for user_id in ids] == [milliseconds for _, _, milliseconds in steps]


@pytest.mark.parametrize("count", [1, 16, 64])
def test_id_names_the_partition_of_its_email(count: int) -> None:
    layout = Layout(count)
    partitions = {layout.of(new_id(email)): layout.of_email(email) for email in emails(500)}
    assert len(partitions) == count
    assert all(partition is of_email for partition, of_email in partitions.items())


@pytest.mark.parametrize(
    "user_id", ["018bcfe5-6800-7000-8000-000000000001", "018bcfe5-6800-4abc-8000-000000000001"], ids=["bits 0", "v4"]
)
def test_bits_of_an_id_without_them_are_those_of_its_bytes(user_id: str) -> None:
    assert bits_in(user_id) == zlib.crc32(uuid.UUID(user_id).bytes) & 4095


@given(st.uuids())
def test_every_uuid_has_one_spelling(given_id: uuid.UUID) -> None:
    assert canonical(str(given_id)) == canonical(str(given_id).upper()) == str(given_id)


@given(st.one_of(st.text(max_size=50), st.uuids().map(lambda value: value.hex), st.uuids().map(lambda v: f"{v}\n")))
def test_text_that_is_not_a_uuid_is_none(text: str) -> None:
    assert canonical(text) is None or str(uuid.UUID(text)) == canonical(text)
    if len(text) != 36:
        assert canonical(text) is None


@pytest.mark.parametrize("digits", ["\u0660" * 8, "\uff10" * 8, "g" * 8])
def test_digits_of_other_scripts_are_not_a_uuid(digits: str) -> None:
    assert canonical(f"{digits}-0000-7000-8000-000000000000") is None
