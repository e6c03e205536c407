"""A change of state is one warning; its repeats are one line per interval."""

import asyncio
import logging

import pytest

from common.observability.notices import Notices

INTERVAL = 0.05


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    return [(record.message, record.__dict__["fields"]) for record in caplog.records]


async def until_logged(caplog: pytest.LogCaptureFixture, number: int) -> None:
    async with asyncio.timeout(10):
        while len(caplog.records) < number:
            await asyncio.sleep(0.001)


async def test_repeats_are_counted_and_logged_once_per_interval(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(logging.getLogger("store"), INTERVAL)
    for reason in ("refused", "refused", "timeout"):
        notices.warn("store lost", reason=reason)
    notices.warn("store back")
    assert logged(caplog) == [("store lost", {"reason": "refused"}), ("store back", {})]
    await until_logged(caplog, 3)
    assert logged(caplog)[2:] == [("store lost", {"reason": "timeout", "repeats": 2})]
    notices.warn("store lost", reason="refused")  # the window of the summary is still open
    assert len(caplog.records) == 3
    await until_logged(caplog, 4)
    assert logged(caplog)[3:] == [("store lost", {"reason": "refused", "repeats": 1})]


async def test_a_change_after_a_quiet_interval_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(logging.getLogger("store"), INTERVAL)
    for _ in range(2):
        notices.warn("store lost")
        await asyncio.sleep(INTERVAL * 1.5)
    assert len(caplog.records) == 2


def test_without_an_event_loop_each_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(logging.getLogger("store"), INTERVAL)
    notices.warn("store lost")
    notices.warn("store lost")
    assert len(caplog.records) == 2
