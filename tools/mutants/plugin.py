"""A pytest plugin: runs the collected tests against each mutant of some modules, in a forked process each."""

import importlib
import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import FunctionType

import pytest

from tools.mutants.forked import Forked, progress
from tools.mutants.mutations import Mutant, loaded_functions, module_of, mutants_of
from tools.mutants.reach import Reached

KILLED, SURVIVED, EXPLAINED, NOT_RUN = "killed", "survived", "explained", "not run"
VERDICTS = {None: KILLED, 0: SURVIVED, 1: KILLED}
"""By exit code. A mutant that takes too long would be noticed."""

PATIENCE_SECONDS, PATIENCE = 15, 5
"""A mutant may take this long, and this many times as long as its tests."""

CHILDREN = 6
"""More than cores: tests that fail mostly wait."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutate", nargs="+", type=Path, metavar="MODULE")
    parser.addoption("--verdicts", type=Path, metavar="FILE", help="what was killed in an earlier run is not run again")
    parser.addoption("--explained", type=Path, metavar="FILE", help="lines of it are mutants that are not run")
    parser.addoption("--until", type=float, metavar="TIME", help="no mutant starts after it, in seconds since 1970")


def pytest_runtestloop(session: pytest.Session) -> bool:
    option = session.config.option
    for path in option.mutate:
        importlib.import_module(module_of(path))
    mutants = [mutant for path in option.mutate for mutant in mutants_of(path)]
    known = json.loads(option.verdicts.read_text()) if option.verdicts.exists() else {}
    verdicts = {mutant.name: known.get(mutant.name, NOT_RUN) for mutant in mutants}
    verdicts |= dict.fromkeys(verdicts.keys() & option.explained.read_text().splitlines(), EXPLAINED)
    left = [mutant for mutant in mutants if verdicts[mutant.name] not in {KILLED, EXPLAINED}]
    left.sort(key=lambda mutant: verdicts[mutant.name] != NOT_RUN)
    started = start(session, left, option.until)
    for name, code in ended(started):
        verdicts[name] = VERDICTS.get(code, f"exit code {code}")
        option.verdicts.write_text(json.dumps(verdicts, indent=0, ensure_ascii=False))
        counts = [list(verdicts.values()).count(each) for each in (NOT_RUN, SURVIVED)]
        progress.write("\r{} mutants, {} not run yet, {} survived ".format(len(mutants), *counts))
    return True


def start(session: pytest.Session, mutants: list[Mutant], until: float) -> Iterator[tuple[str, Forked]]:
    reached, loaded = Reached(session, session.config.option.mutate), loaded_functions()
    for mutant in mutants:
        if time.time() < until:
            items, seconds = reached.tests_of(mutant.place)
            work = partial(fails, session, items, mutant, loaded[mutant.place])
            yield mutant.name, Forked(work, PATIENCE_SECONDS + PATIENCE * seconds)


def ended(started: Iterator[tuple[str, Forked]]) -> Iterator[tuple[str, int | None]]:
    """The exit codes of all, CHILDREN at a time."""
    running: dict[str, Forked] = {}
    try:
        while running.update(islice(started, CHILDREN - len(running))) or running:
            for name in [name for name, child in running.items() if child.has_ended()]:
                yield name, running.pop(name).code
            time.sleep(0.01)
    finally:
        for child in running.values():
            child.end(is_running=True)


def fails(session: pytest.Session, items: Sequence[pytest.Item], mutant: Mutant, loaded: FunctionType) -> bool:
    """Whether a test fails with the mutant; runs those up to the first failure."""
    mutant.apply(loaded)
    for item, following in zip(items, [*items[1:], None], strict=False):  # without tests nothing fails
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return True
    return False
