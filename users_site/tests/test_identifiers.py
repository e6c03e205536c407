"""UUIDv7 ids that carry a partition."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from users_site import identifiers
from users_site.identifiers import canonical, new_id, partition_for, partition_of


@pytest.fixture(autouse=True)
def _fresh_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifiers, "_last_ms", 0)
    monkeypatch.setattr(identifiers, "_last_rand", 0)


def ms_of(user_id: str) -> int:
    return uuid.UUID(user_id).int >> 80


def test_id_is_a_uuid_of_version_7_that_tells_when_it_was_made() -> None:
    before = int(time.time() * 1000)
    user_id = new_id(0)
    parsed = uuid.UUID(user_id)
    assert (str(parsed), parsed.version, parsed.variant) == (user_id, 7, uuid.RFC_4122)
    assert before <= ms_of(user_id) <= int(time.time() * 1000)


def test_ids_of_one_process_sort_by_creation() -> None:
    ids = [new_id(0) for _ in range(10_000)]
    assert ids == sorted(set(ids))


def test_ids_of_one_millisecond_sort_by_creation() -> None:
    ids = [new_id(0, now=1_700_000_000.0) for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {ms_of(user_id) for user_id in ids} == {1_700_000_000_000}


def test_ids_still_rise_when_the_clock_is_set_back() -> None:
    times = [1_700_000_000.0, 1_600_000_000.0, 1_699_999_999.999, 1_700_000_000.0, 1_700_000_000.001]
    ids = [new_id(0, now=now) for now in times]
    assert ids == sorted(set(ids))


def test_ids_still_rise_when_the_random_bits_of_a_millisecond_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id(0, now=1_700_000_000.0)
    monkeypatch.setattr(identifiers, "_last_rand", (1 << 62) - 1)
    second = new_id(0, now=1_700_000_000.0)
    assert second > first
    assert ms_of(second) == ms_of(first) + 1
    assert uuid.UUID(second).version == 7
    assert new_id(0, now=1_700_000_000.0) > second


@pytest.mark.parametrize("partition", [0, 1, 7, 4095])
def test_id_carries_its_partition(monkeypatch: pytest.MonkeyPatch, partition: int) -> None:
    monkeypatch.setattr(identifiers, "PARTITIONS", 4096)
    user_id = new_id(partition)
    assert partition_of(user_id) == partition
    assert uuid.UUID(user_id).version == 7


@given(st.text(min_size=1), st.sampled_from([1, 2, 16, 4096]))
def test_every_spelling_of_an_emails_case_has_one_partition(text: str, partitions: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identifiers, "PARTITIONS", partitions)
        assert partition_for(text) == partition_for(text.casefold())
        assert 0 <= partition_for(text) < partitions


@given(st.uuids())
def test_every_uuid_has_one_spelling(given_id: uuid.UUID) -> None:
    assert canonical(str(given_id)) == canonical(str(given_id).upper()) == str(given_id)
    assert partition_of(str(given_id)) == 0


@given(st.one_of(st.text(max_size=50), st.uuids().map(lambda value: value.hex), st.uuids().map(lambda v: f"{v}\n")))
def test_what_is_no_uuid_is_none(text: str) -> None:
    assert canonical(text) is None or str(uuid.UUID(text)) == canonical(text)
    if len(text) != 36:
        assert canonical(text) is None


@pytest.mark.parametrize("digits", ["\u0660" * 8, "\uff10" * 8, "g" * 8])
def test_digits_of_other_scripts_are_no_uuid(digits: str) -> None:
    assert canonical(f"{digits}-0000-7000-8000-000000000000") is None
