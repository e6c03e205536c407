"""Which overlays and components are tested together."""

from pathlib import Path

KUSTOMIZE = Path(__file__).resolve().parents[1] / "kustomize"
OVERLAYS = ("dev", "staging", "prod")
NEEDS = dict.fromkeys(("gateway-api/aws-nlb", "gateway-api/envoy-gateway"), ("gateway-api",))

INSTEAD = {"redis-cluster": "redis-sentinel"}
"""Either stands for the users' store, not both."""

Combination = tuple[str, tuple[str, ...]]


def components() -> list[str]:
    folder = KUSTOMIZE / "components"
    return sorted(str(file.parent.relative_to(folder)) for file in folder.rglob("kustomization.yaml"))


def combinations_of_components() -> list[Combination]:
    """Each overlay alone, with each component, with all of them in either order; prod with all but one."""
    alone = [(*NEEDS.get(each, ()), each) for each in components()]
    names = [each for each in components() if each not in INSTEAD]
    others = [tuple(each for each in components() if each != other) for other in INSTEAD.values()]
    found: list[Combination] = []
    for overlay in OVERLAYS:
        found += [(overlay, added) for added in ((), *alone, tuple(names), tuple(reversed(names)), *others)]
    found += [("prod", added) for left_out in names if (added := _without(names, left_out))]
    return list(dict.fromkeys((overlay, tuple(dict.fromkeys(added))) for overlay, added in found))


def _without(names: list[str], left_out: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != left_out and left_out not in NEEDS.get(each, ()))


def name(combination: Combination) -> str:
    """For test ids: names the missing components instead of the present ones, if there are many."""
    overlay, added = combination
    if len(added) <= 2:
        return "+".join((overlay, *added))
    missing = sorted(set(components()) - set(added))
    return f"{overlay}+all{''.join('-' + each for each in missing)}, {added[0]} first"
