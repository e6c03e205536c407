"""How long an address stays out."""

from typing import Any

import pytest

from packages.http_pool._members import Members
from packages.http_pool._origin import Address


@pytest.fixture
def members() -> Members:
    pool: Any = None
    made = Members(lambda address: pool, lambda address, reason: None)
    made.set([Address("10.0.0.1"), Address("10.0.0.2")])
    return made


def test_each_ejection_doubles_until_30_seconds_and_a_good_minute_forgives(members: Members) -> None:
    sick, now, seconds = members.all[0], 1000.0, []
    for wait in (0, 0, 0, 0, 0, 60, 61):
        now += wait
        members.failed(sick, "refused", now, at_once=True)
        assert sick.ejected_until is not None
        seconds.append(sick.ejected_until - now)
        now = sick.ejected_until
        members.checked(sick, True, now)
    assert seconds == [2, 4, 8, 16, 30, 30, 2]


def test_a_failed_check_keeps_it_out_for_2_seconds_more(members: Members) -> None:
    sick = members.all[0]
    members.failed(sick, "refused", 1000.0, at_once=True)
    members.checked(sick, False, 1002.0)
    members.checked(sick, True, 1003.9)
    assert members.ready == 1
    members.checked(sick, True, 1004.0)
    assert members.ready == 2


def test_two_failed_checks_in_sequence_eject(members: Members) -> None:
    for is_live in (False, True, False):
        members.checked(members.all[0], is_live, 1.0)
    assert members.ready == 2
    members.checked(members.all[0], False, 1.0)
    assert members.ready == 1
