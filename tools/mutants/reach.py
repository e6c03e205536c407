"""Which tests reach which functions: found in one run of all tests, in a process of its own."""

import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tools.mutants.forked import Forked, progress
from tools.mutants.mutations import Place, place_of

RECORD_SECONDS = 1800

Row = tuple[int, float, list[Place], list[Place]]
"""A test's number, its seconds, the functions that it called, and those that fixtures of its file did."""


class Reached:
    """The tests of each function, without those that fail anyway."""

    def __init__(self, session: pytest.Session, paths: list[Path]) -> None:
        with tempfile.NamedTemporaryFile() as file:
            rows = Path(file.name)
            recorder = Recorder(session, paths)
            code = Forked(lambda: recorder.write(rows), RECORD_SECONDS).wait()
            if code != 0:
                raise RuntimeError(f"recording the tests ended with {code}")
            self._rows: list[Row] = json.loads(rows.read_text())
        self._items = session.items
        self._seconds_of: dict[Path, float] = defaultdict(float)
        for number, seconds, *_ in self._rows:
            self._seconds_of[self._items[number].path] += seconds

    def tests_of(self, place: Place) -> tuple[list[pytest.Item], float]:
        """Those that call the function first. Tests of a file stay together, since they share fixtures. And their seconds."""
        rows = [row for row in self._rows if place in row[2] or place in row[3]]
        rows.sort(key=lambda row: (place not in row[2], self._seconds_of[self._items[row[0]].path], row[0]))
        return [self._items[row[0]] for row in rows], sum(row[1] for row in rows)


class Recorder:
    def __init__(self, session: pytest.Session, paths: list[Path]) -> None:
        self._session = session
        self._paths = {str(path.resolve()) for path in paths}
        self._called: set[Place] = set()
        self._by_fixtures: dict[Path, set[Place]] = defaultdict(set)

    def write(self, file: Path) -> int:
        file.write_text(json.dumps(list(self._rows())))
        return 0

    def _rows(self) -> Iterator[Row]:
        self._session.config.pluginmanager.register(self)
        threading.setprofile(self._notice)
        sys.setprofile(self._notice)
        passed = list(self._passed(self._session.items))
        for number, seconds, called in passed:
            yield number, seconds, called, sorted(self._by_fixtures[self._session.items[number].path])

    def _passed(self, items: list[pytest.Item]) -> Iterator[tuple[int, float, list[Place]]]:
        for number, (item, following) in enumerate(zip(items, [*items[1:], None], strict=True)):
            self._called.clear()
            began, failed = time.monotonic(), self._session.testsfailed
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._session.testsfailed == failed:
                yield number, time.monotonic() - began, sorted(self._called)

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self._by_fixtures[item.path] |= self._called

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            progress.write(f"{report.nodeid} fails without a mutant:\n{report.longreprtext}\n")

    def _notice(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename in self._paths:
            self._called.add(place_of(frame.f_code))
