"""Rules: requests, limits and quotas that cannot be met."""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

from packages.preflight.edges import implied
from packages.preflight.objects import Rendering, dig, items, mapping, text
from packages.preflight.ours import processes
from packages.preflight.pods import Container, Workload, workloads
from packages.preflight.quantity import quantity
from packages.preflight.services import USERS
from packages.preflight.violation import Violation

REDIS_SHARE = Decimal("0.75")
"""Of a container's memory; the rest is for the fork that rewrites the AOF, for clients and for scripts."""

LEAST_MEMORY = 4 * 1024**2
"""Bytes in which no container starts, not even a shell's."""

MOST_CPUS = 50
"""From here on somebody meant thousandths: 50m is the least that anybody asks for, 96 CPUs a whole node of the larger kind."""


def amount(data: Any, *path: str | int) -> Decimal | None:
    try:
        return quantity(found) if (found := dig(data, *path)) is not None else None
    except ValueError:
        return None


def limits(rendering: Rendering) -> Iterator[Violation]:
    """Limits below requests, and what is no quantity at all."""
    for workload in workloads(rendering):
        for container in workload.containers:
            resources = mapping(container.data, "resources")
            for part in ("requests", "limits"):
                for name, value in mapping(resources, part).items():
                    if amount(resources, part, name) is None:
                        yield Violation(
                            str(workload),
                            f"{part}.{name} of container {container.name} is {value!r}, no quantity",
                            "the API server refuses it",
                            "write it like 250m or 128Mi",
                        )
            for name in mapping(resources, "requests"):
                request, limit = amount(resources, "requests", name), amount(resources, "limits", name)
                if request is not None and limit is not None and limit < request:
                    yield Violation(
                        str(workload),
                        f"container {container.name} requests {name} {dig(resources, 'requests', name)}, "
                        f"above its limit {dig(resources, 'limits', name)}",
                        "the API server refuses it",
                        "set the limit to the request or more",
                    )


def units(rendering: Rendering) -> Iterator[Violation]:
    """Quantities that are well-formed and cannot be meant: memory without its unit, CPU without its m."""
    for workload in workloads(rendering):
        for container in workload.containers:
            for part in ("requests", "limits"):
                memory, cpu = (amount(container.data, "resources", part, name) for name in ("memory", "cpu"))
                written = mapping(container.data, "resources", part)
                if memory is not None and 0 < memory < LEAST_MEMORY:
                    unit = "a thousandth of a byte" if str(written["memory"]).endswith("m") else "bytes"
                    yield Violation(
                        str(workload),
                        f"{part}.memory of container {container.name} is {written['memory']}: {unit}, no Mi",
                        "nothing starts in that: OOMKilled, or refused by the runtime",
                        "write it like 128Mi",
                    )
                if cpu is not None and cpu >= MOST_CPUS:
                    yield Violation(
                        str(workload),
                        f"{part}.cpu of container {container.name} is {written['cpu']}: whole CPUs",
                        "no node has that many: its pods stay Pending",
                        f"write it like {written['cpu']}m",
                    )


def oversized(rendering: Rendering) -> Iterator[Violation]:
    """One process that asks for more than a CPU, or less memory than it starts with."""
    for process in processes(rendering):
        resources = mapping(process.container.data, "resources")
        cpu, memory = amount(resources, "requests", "cpu"), amount(resources, "requests", "memory")
        if cpu is not None and cpu > 1:
            yield Violation(
                str(process),
                f"container {process.container.name} requests {dig(resources, 'requests', 'cpu')} CPU",
                f"{process.service.name} is one process: the scheduler keeps free what it cannot use, or finds no node",
                "request 100m, and let the autoscaler add pods",
            )
        if memory is not None and memory > 2 * 1024**3:
            yield Violation(
                str(process),
                f"container {process.container.name} requests {dig(resources, 'requests', 'memory')} of memory",
                "no node may have that much free: its pods stay Pending",
                "request 128Mi",
            )
        limit = amount(resources, "limits", "memory")
        if limit is None:
            yield Violation(
                str(process),
                f"container {process.container.name} has no limits.memory",
                "a leak takes the node's memory, and its neighbours are killed for it",
                "set limits.memory to 256Mi",
            )
        if limit is not None and limit < 96 * 1024**2:
            yield Violation(
                str(process),
                f"container {process.container.name} may use {dig(resources, 'limits', 'memory')} of memory",
                f"{process.service.name} needs more to start: OOMKilled, exit code 137",
                "set limits.memory to 256Mi",
            )


def in_memory_volumes(rendering: Rendering) -> Iterator[Violation]:
    """An emptyDir in memory that may outgrow the container that pays for it."""
    for workload in workloads(rendering):
        caps = [amount(each.data, "resources", "limits", "memory") for each in workload.main_containers]
        most = max((cap for cap in caps if cap is not None), default=None)
        for volume in items(workload.spec, "volumes"):
            if text(volume, "emptyDir", "medium") != "Memory" or most is None:
                continue
            size = amount(volume, "emptyDir", "sizeLimit")
            if size is None or size >= most:
                yield Violation(
                    str(workload),
                    f"volume {text(volume, 'name')} in memory may grow to "
                    f"{text(volume, 'emptyDir', 'sizeLimit') or 'anything'}",
                    "files count as the container's memory: OOMKilled",
                    "give it a sizeLimit well below the memory limit",
                )


def redis_memory(rendering: Rendering) -> Iterator[Violation]:
    """A Redis whose `maxmemory` does not fit its container, or that forgets or refuses nothing when it is full."""
    for workload in workloads(rendering):
        for container in workload.main_containers:
            config = _redis_settings(rendering, workload, container)
            if config is None:
                continue
            limit, most = (
                amount(container.data, "resources", "limits", "memory"),
                _bytes(config.get("maxmemory", "0")),
            )
            if limit is not None and (not most or most > limit * REDIS_SHARE):
                yield Violation(
                    str(workload),
                    f"maxmemory {config.get('maxmemory', 'is not set')} does not fit the memory limit "
                    f"{dig(container.data, 'resources', 'limits', 'memory')}",
                    "it is OOMKilled before it refuses a write",
                    "set maxmemory to 60 % of the limit",
                )
            if not _keeps_users(rendering, workload):
                continue  # a cache may forget
            if config.get("maxmemory-policy", "noeviction") != "noeviction":
                yield Violation(
                    str(workload),
                    f"maxmemory-policy is {config['maxmemory-policy']}",
                    "a full store forgets users",
                    "set maxmemory-policy noeviction",
                )
            if config.get("appendonly", "no") != "yes":
                yield Violation(str(workload), "appendonly is off", "a restart loses every user", "set appendonly yes")


def _keeps_users(rendering: Rendering, store: Workload) -> bool:
    """Whether it is the user service's: by its settings, or (behind sentinels) by its name."""
    users = [process.workload.template for process in processes(rendering) if process.service is USERS]
    named = (
        peer.template
        for source, peer, *_ in implied(rendering)
        if isinstance(peer, Workload) and source.template in users
    )
    return bool(users) and (store.manifest.name == "redis" or store.template in named)


def _redis_settings(rendering: Rendering, workload: Workload, container: Container) -> dict[str, str] | None:
    """A Redis server's settings, from the configuration it mounts and its command line; None for what is none."""
    words = container.command_line
    image = container.image.split("@")[0].rpartition("/")[2].split(":")[0]
    if image not in {"redis", "valkey", "keydb"} or any("sentinel" in word for word in words):
        return None
    lines: list[str] = []
    for volume in items(workload.spec, "volumes"):
        config = rendering.find("ConfigMap", text(volume, "configMap", "name"), workload.namespace)
        files = mapping(config.data, "data") if config else {}
        lines += [
            line for name, content in files.items() if str(name).endswith(".conf") for line in str(content).splitlines()
        ]
    flags = [f"{name.removeprefix('--')} {value}" for name, value in pairwise(words) if name.startswith("--")]
    return {name.lower(): value for name, _, value in (line.strip().partition(" ") for line in lines + flags)}


def _bytes(value: str) -> int:
    match = re.fullmatch(r"(\d+)(k|m|g)?(b)?", value.strip().lower())
    return int(match[1]) * (1024 if match[3] else 1000) ** " kmg".index(match[2] or " ") if match else 0
