"""Autoscalers, budgets and replicas that conflict, or refer to nothing."""

from packages.preflight.demand import demand, share
from packages.preflight.kinds import BUILT_IN
from packages.preflight.objects import Manifest, dig, items, text
from packages.preflight.pods import Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import SCALERS, Rendering, scale_bounds, scale_target


@rule("M450", *SCALERS, why="it never scales")
def autoscaler_without_its_workload(rendering: Rendering, scaler: Manifest) -> Hits:
    kind, name = scale_target(scaler)
    written, wanted = text(scaler.spec, "scaleTargetRef", "apiVersion"), rendering.find(kind, name, scaler.namespace)
    right = next((version for version, kinds in BUILT_IN.items() if kind in kinds.split()), "")
    is_given = written or scaler.kind == "HorizontalPodAutoscaler"
    if not rendering.is_known(kind, name, scaler.namespace):
        yield Hit(f"scales {kind} {name!r}, which does not exist", "name the workload as its manifest does")
    elif wanted and right and is_given and written.rpartition("/")[0] != right.rpartition("/")[0]:
        what = f"scaleTargetRef has apiVersion {written or 'none'}, {wanted} is of {right}"
        yield Hit(what, f"write apiVersion: {right}")
    least, most = scale_bounds(scaler)
    if least > most:
        what = f"its minimum {least} is above its maximum {most}"
        yield Hit(what, "raise the maximum", "the API server refuses it")


@rule("M451", "workloads")
def autoscaler_that_competes_for_the_replicas(rendering: Rendering, workload: Workload) -> Hits:
    scalers = rendering.scalers(workload)
    if len(scalers) > 1:
        yield Hit(f"is scaled by {' and '.join(map(str, scalers))}", "keep one", "each undoes the other's work")
    if scalers and "replicas" in workload.manifest.spec:
        what = f"sets replicas {dig(workload.manifest.spec, 'replicas')} and is scaled by {scalers[0]}"
        why = "each apply discards the number that the load demanded"
        yield Hit(what, "leave replicas out", why, is_certain=False)


@rule("M452", "workloads", why="utilisation is a share of the request: it never scales")
def autoscaler_by_a_metric_that_does_not_exist(rendering: Rendering, workload: Workload) -> Hits:
    for scaler in rendering.scalers(workload):
        for metric in items(scaler.spec, "metrics"):
            field = "containerResource" if text(metric, "type") == "ContainerResource" else "resource"
            resource, only = text(metric, field, "name"), text(metric, field, "container")
            counted = [each for each in workload.running if only in {"", each.name}]
            if not counted:
                what = f"scales by container {only!r}, which {workload} does not have"
                yield Hit(what, "name a container of the pods", "the metric is missing: it never scales", on=scaler)
            for each in counted if text(metric, field, "target", "type") == "Utilization" else []:
                if demand(rendering, each, "requests", resource) is None:
                    what = f"scales by {resource}, of which container {each.name} requests nothing"
                    yield Hit(what, f"set resources.requests.{resource}", on=scaler)


@rule("M453", "workloads", why="no pod can be evicted: every node drain hangs",
      cure="set maxUnavailable: 1, or raise the minimum of the autoscaler")  # fmt: skip
def disruption_budget_that_allows_no_eviction(rendering: Rendering, workload: Workload) -> Hits:
    least = rendering.replicas(workload)[0]
    for budget in rendering.budgets[workload] if workload.is_long_running and workload.kind != "DaemonSet" else []:
        if "maxUnavailable" in budget.spec:
            kept = least - share(budget.spec["maxUnavailable"], least)
        else:
            kept = share(budget.spec.get("minAvailable", 0), least)
        if kept >= max(least, 1):
            written = {key: budget.spec[key] for key in ("minAvailable", "maxUnavailable") if key in budget.spec}
            yield Hit(f"{written} of {workload}, which may have {least} pods", on=budget)


@rule("M455", "workloads", why="nothing runs: every request is refused", severity="warning",
      cure="set replicas to 2, or leave it to an autoscaler")  # fmt: skip
def workload_without_pods(_: Rendering, workload: Workload) -> Hits:
    if dig(workload.manifest.spec, "replicas") == 0 and workload.is_long_running:
        yield "replicas is 0"
