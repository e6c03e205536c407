"""Which overlays and components are tested together."""

from pathlib import Path
from typing import Any

import pytest

KUSTOMIZE = Path(__file__).resolve().parents[1] / "kustomize"
OVERLAYS = ("dev", "staging", "prod")
NEEDS = dict.fromkeys(("gateway-api/aws-nlb", "gateway-api/envoy-gateway"), ("gateway-api",))

INSTEAD = {"redis-cluster": "redis-sentinel"}
"""Either stands for the users' store, not both."""

Combination = tuple[str, tuple[str, ...]]


def components() -> list[str]:
    folder = KUSTOMIZE / "components"
    return sorted(str(file.parent.relative_to(folder)) for file in folder.rglob("kustomization.yaml"))


def cases() -> list[Any]:
    """Each overlay alone, with each component, with all of them in either order; prod with all but one.

    `make verify` has what rarely finds more than prod and all components do.
    """
    alone = [(*NEEDS.get(each, ()), each) for each in components()]
    names = [each for each in components() if each not in INSTEAD]
    everything = [names, names[::-1], *([each for each in components() if each != other] for other in INSTEAD.values())]
    often = [(overlay, added) for overlay in OVERLAYS for added in ((), *map(tuple, everything))]
    often += [("prod", added) for added in alone]
    rarely = [(overlay, added) for overlay in ("dev", "staging") for added in alone]
    rarely += [("prod", added) for left_out in names if (added := _without(names, left_out))]
    return [
        pytest.param(each, id=name(each), marks=[pytest.mark.verify] if each in rarely else [])
        for each in dict.fromkeys([*often, *rarely])
    ]


def _without(names: list[str], left_out: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != left_out and left_out not in NEEDS.get(each, ()))


def name(combination: Combination) -> str:
    """For test ids: names the missing components instead of the present ones, if there are many."""
    overlay, added = combination
    if len(added) <= 2:
        return "+".join((overlay, *added))
    missing = sorted(set(components()) - set(added))
    return f"{overlay}+all{''.join('-' + each for each in missing)}, {added[0]} first"
