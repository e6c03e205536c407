"""The workflows as objects, for tests."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.tests.pipelines.stage import ROOT

FOLDER = ROOT / ".github" / "workflows"


@cache
def workflows() -> dict[str, dict[Any, Any]]:
    """By name of the file. `on` is the key True: YAML 1.1 reads it so."""
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.yaml"))}


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each job of each workflow, with a name for messages."""
    for workflow, content in workflows().items():
        for name, job in content["jobs"].items():
            yield f"{workflow}/{name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        for step in job.get("steps", ()):
            yield name, step


def scripts() -> list[Path]:
    return sorted(
        [*(ROOT / "deploy" / "bin").glob("*.sh"), *Path(__file__).parent.glob("*.sh"), *(ROOT / ".ci").iterdir()]
    )


def make_targets(command: str) -> list[str]:
    return [word for call in re.findall(r"\bmake ([a-z -]+)", command) for word in call.split()]
