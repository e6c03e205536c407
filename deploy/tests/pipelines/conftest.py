"""The order of the tests that are steps of one story; the stage of deploy.sh."""

from pathlib import Path

import pytest

from deploy.tests.pipelines.deploying import COMMANDS, OLD
from deploy.tests.pipelines.stage import Stage, stage


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the steps of a first deployment in the order of their file: each starts where the one before ended."""
    places = [place for place, item in enumerate(items) if item.path.name == "test_first_deployment.py"]
    steps = sorted((items[place] for place in places), key=lambda item: item.location[1] or 0)
    for place, item in zip(places, steps, strict=True):
        items[place] = item


@pytest.fixture
def running(tmp_path: Path) -> Stage:
    return stage(tmp_path / "stage", *COMMANDS, cluster=OLD)
