"""The rules' tests detect small mistakes in the rules: each of some 430 mutants makes them fail."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.tests.monitoring.crowd import crowded
from deploy.tests.monitoring.mutants import Mutant, mutants
from deploy.tests.monitoring.rule_files import RULE_FILES, beside, parsed
from deploy.tests.programs import run

pytestmark = pytest.mark.verify

STRIDE = 1 if os.environ.get("MUTANTS") == "all" else 12
"""All of them take 3 minutes of two cores: `make test` runs a tenth."""


def survives(mutant: Mutant, path: Path, folder: Path) -> bool:
    """Whether the tests of the rule file still pass. Raises AssertionError for an invalid rule file."""
    folder.mkdir()
    (folder / path.name).write_text(json.dumps(mutant.document))
    (folder / beside(path).name).write_text(json.dumps(crowded(path)))
    done = run("promtool", "test", "rules", folder / beside(path).name)
    assert "could not parse expression" not in done.stdout + done.stderr, f"{mutant.rule}: {mutant.what}"
    return done.returncode == 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_every_mutant_turns_the_tests_red(path: Path, tmp_path: Path) -> None:
    chosen = list(mutants(parsed(path)))[::STRIDE]
    assert chosen
    with ThreadPoolExecutor(2) as pool:
        folders = (tmp_path / str(number) for number in range(len(chosen)))
        alive = list(pool.map(survives, chosen, [path] * len(chosen), folders))
    survivors = [f"{mutant.rule}: {mutant.what}" for mutant, lives in zip(chosen, alive, strict=True) if lives]
    assert not survivors
