"""Rules: shutdowns that are cut short, or begin before the traffic has gone."""

from collections.abc import Iterator

from packages.preflight.objects import Rendering, mapping
from packages.preflight.ours import Process, grace_seconds, pre_stop_seconds, processes
from packages.preflight.pods import selected, workloads
from packages.preflight.violation import Violation

ENDPOINT_SECONDS = 5
"""How long until every node and every door has heard that a pod is going."""
SHELL_WORDS = {"sh", "bash", "/bin/sh", "/bin/bash", "sleep", "/bin/sleep", "curl", "wget", "nc", "kill"}


def drains(rendering: Rendering) -> Iterator[Violation]:
    """A grace period shorter than preStop, drain and what is in flight together."""
    for process in processes(rendering):
        if not process.is_server:
            continue
        started = process.started()
        pre_stop, grace = pre_stop_seconds(process.container), grace_seconds(process.workload)
        needed = pre_stop + started.drain_seconds + started.grace_seconds
        if grace <= needed:
            yield Violation(
                str(process),
                f"terminationGracePeriodSeconds {grace} is not above {needed:g}: preStop {pre_stop:g}, "
                f"DRAIN_SECONDS {started.drain_seconds:g}, {started.grace_seconds:g} for what is in flight",
                "the kubelet kills it with requests in flight: 502 at each deploy",
                f"set terminationGracePeriodSeconds: {int(needed) + 10}",
            )
        if (
            pre_stop + started.drain_seconds < ENDPOINT_SECONDS
            and not process.is_debug
            and _is_served(rendering, process)
        ):
            yield Violation(
                str(process),
                f"stops listening {pre_stop + started.drain_seconds:g} s after it is told to stop",
                "nodes still send it requests: refused at each deploy",
                f"set preStop.sleep and DRAIN_SECONDS to {ENDPOINT_SECONDS} s together or more",
            )


def _is_served(rendering: Rendering, process: Process) -> bool:
    return any(
        process.workload.template is each.template
        for service in rendering.of("Service")
        for each in selected(rendering, service)
    )


def hooks(rendering: Rendering) -> Iterator[Violation]:
    """A preStop hook that outlives the grace period of any pod."""
    for workload in workloads(rendering):
        for container in workload.containers:
            seconds = pre_stop_seconds(container)
            if seconds and seconds >= grace_seconds(workload):
                yield Violation(
                    str(workload),
                    f"preStop of container {container.name} sleeps {seconds:g} s, "
                    f"the grace period is {grace_seconds(workload)}",
                    "the process is killed before it is told to stop",
                    "raise terminationGracePeriodSeconds",
                )


def shells(rendering: Rendering) -> Iterator[Violation]:
    """A hook or probe that runs a program which our images do not have."""
    for process in processes(rendering):
        places = {
            kind: mapping(process.container.data, kind, "exec")
            for kind in ("livenessProbe", "readinessProbe", "startupProbe")
        }
        places["preStop"] = mapping(process.container.data, "lifecycle", "preStop", "exec")
        places["command"] = process.container.data
        for place, data in places.items():
            command = data.get("command")
            if isinstance(command, list) and command and str(command[0]) in SHELL_WORDS:
                yield Violation(
                    str(process),
                    f"{place} of container {process.container.name} runs {command[0]}",
                    "the image has no shell and no tools: it always fails",
                    "use httpGet, preStop.sleep, or python",
                )
