"""A sound deployment is found sound; broken in one way, it is found broken in that way."""

from pathlib import Path

import pytest

from packages.preflight import check, check_paths
from packages.preflight.reading import read
from packages.preflight.tests.mutants import MUTANTS, Mutant, Objects

SOUND = Path(__file__).with_name("sound.yaml")


@pytest.fixture(scope="module")
def sound() -> Objects:
    """The sound deployment."""
    rendering, _ = read([SOUND])
    return Objects(rendering)


def test_sound_deployment_has_no_violation():
    assert check_paths([SOUND]) == []


def test_strangers_sound_deployments_have_no_violation():
    assert check_paths([SOUND.with_name("strangers.yaml")]) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_found_and_named_with_its_cure(sound: Objects, mutant: Mutant):
    objects = Objects(sound.rendering)
    mutant.mutate(objects)
    found = check(objects.rendering)
    named = [each for each in found if each.object.startswith(mutant.object) and mutant.says in each.what + each.why]
    assert named, "not found; found instead:\n" + "\n".join(map(str, found))
    assert all(each.cure and each.why for each in found)


def test_each_mutant_is_a_mutant_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 30
