"""What clocks decide: when a change counts as abandoned, and how long a request may still be in flight."""

import re
import time
from types import SimpleNamespace

import pytest

from users_site.models import User, timestamp
from users_site.repository import claims, entries
from users_site.repository.claims import is_old, new_token, now_ms
from users_site.repository.entries import seconds_left
from users_site.tests.repository.people import UNKNOWN

NOW = 1_800_000_000


def test_a_token_names_its_time() -> None:
    assert re.fullmatch(r"\d{13}-[0-9a-f]{16}", new_token())
    assert abs(now_ms() - time.time() * 1000) < 1000


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (b"%d-x" % (NOW - 5000), False),
        (b"%d-x" % (NOW - 5001), True),
        (b"%d-x-y" % NOW, False),
        (b"%d" % NOW + b"0" * 5000, False),
        (b"", True),
        (b"x-%d" % NOW, True),
    ],
)
def test_a_token_is_old_after_the_patience(monkeypatch: pytest.MonkeyPatch, token: bytes, expected: bool) -> None:
    monkeypatch.setattr(claims, "now_ms", lambda: NOW)
    assert is_old(token, 5000) is expected


@pytest.mark.parametrize(
    ("age", "seconds"), [(-3600, 0), (-6, 0), (-5, 0), (-4.999, 10), (0, 5), (0.997, 5), (4.2, 1), (5, 0), (6, 0)]
)
def test_a_request_may_be_in_flight_for_the_patience(monkeypatch: pytest.MonkeyPatch, age: float, seconds: int) -> None:
    monkeypatch.setattr(entries, "time", SimpleNamespace(time=lambda: NOW + age))
    made = timestamp(NOW)
    assert seconds_left(User(UNKNOWN, "", "", "", made, made), 5000) == seconds
