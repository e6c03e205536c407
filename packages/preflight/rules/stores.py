"""Redis servers: memory, durability, passwords."""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from packages.preflight.demand import amount
from packages.preflight.edges import addresses, implied, target
from packages.preflight.environment import mounted_files
from packages.preflight.objects import dig
from packages.preflight.pods import Container, Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering

MEMORY_SHARE = Decimal("0.75")
"""Share of a container's memory; the rest is for the fork that rewrites the AOF, for clients and for scripts."""


def _redis_servers(rendering: Rendering) -> Iterator[tuple[Container, dict[str, str], str]]:
    """Each Redis server, its settings, and its whole command line and configuration."""
    for container in rendering.containers:
        words = container.command_line
        if container.repository in {"redis", "valkey", "keydb"} and not any("sentinel" in word for word in words):
            files = mounted_files(rendering, container)
            lines = [line for name, content in files.items() if name.endswith(".conf") for line in content.splitlines()]
            lines += [f"{name[2:]} {value}" for name, value in pairwise(words) if name.startswith("--")]
            split = (line.strip().partition(" ") for line in lines)
            settings = {name.lower(): value.strip() for name, _, value in split}
            yield container, settings, "\n".join([*words, *files.values()])


@rule("M810", why="it is OOMKilled before it refuses a write", cure="set maxmemory to 60 % of the limit")
def redis_whose_maxmemory_does_not_fit_its_container(rendering: Rendering) -> Hits:
    for container, settings, _ in _redis_servers(rendering):
        limit, most = amount(container.data, "resources", "limits", "memory"), _bytes(settings.get("maxmemory", "0"))
        # Without maxmemory, a small cache of others may stay below its limit.
        if limit is not None and (not most or most > limit * MEMORY_SHARE):
            shown = f"the memory limit {dig(container.data, 'resources', 'limits', 'memory')}"
            what = f"maxmemory {settings.get('maxmemory', 'is not set')} does not fit {shown}"
            yield Hit(what, is_certain=bool(most), on=container)


def _bytes(value: str) -> int:
    match = re.fullmatch(r"(\d{1,20})(k|m|g)?(b)?", value.lower())
    return int(match[1]) * (1024 if match[3] else 1000) ** " kmg".index(match[2] or " ") if match else 0


@rule("M811")
def store_of_ours_that_loses_data(rendering: Rendering) -> Hits:
    keepers = {process.workload for process in rendering.processes if process.service.keeps_data}
    clients: dict[object, set[Workload]] = {}
    for source, peer, *_ in implied(rendering):
        clients.setdefault(peer, set()).add(source)
    for container, settings, _ in _redis_servers(rendering):
        workload = container.workload
        # Behind sentinels no setting names the servers. A Redis without clients of ours counts as a cache.
        is_near = workload.namespace in {keeper.namespace for keeper in keepers}
        if is_near and clients.get(workload, keepers) & keepers:
            if (policy := settings.get("maxmemory-policy", "noeviction")) != "noeviction":
                why, cure = "a full store evicts users", "set maxmemory-policy noeviction"
                yield Hit(f"maxmemory-policy is {policy}", cure, why, on=workload)
            if settings.get("appendonly", "no") != "yes":
                yield Hit("appendonly is off", "set appendonly yes", "a restart loses every user", on=workload)


@rule("M812", why="the store refuses every command: NOAUTH")
def store_with_a_password_and_client_without_one(rendering: Rendering) -> Hits:
    servers = _redis_servers(rendering)
    closed = {container.workload for container, settings, written in servers if _is_closed(settings, written)}
    for container in rendering.containers if closed else []:
        workload, variables = container.workload, rendering.environment(container)
        given = {name.removesuffix("_FILE") for name, value in variables.items() if value != ""}
        for address in addresses(variables):
            found = target(rendering, address.host, workload.namespace)
            peers = set(rendering.behind(found.service)) if found and found.service else set()
            name = re.sub(r"_(HOST|URL|ADDR)$", "", address.setting) + "_PASSWORD"
            has_password = name in given or "@" in (variables[address.setting] or "")
            for peer in peers & closed - {workload} if not (has_password or _has_own_way(rendering, workload)) else ():
                what = f"container {container.name} connects to {peer} ({address.setting}) without a password"
                yield Hit(what, f"set {name}_FILE to a mounted Secret", on=workload)


def _is_closed(settings: dict[str, str], written: str) -> bool:
    is_set = settings.get("requirepass", "").strip("\"'") or "--requirepass" in written
    return bool(is_set or ("aclfile" in settings and "nopass" not in written))


def _has_own_way(rendering: Rendering, workload: Workload) -> bool:
    """Whether a pod of others may get a password in another way."""
    is_ours = any(process.workload is workload for process in rendering.processes)
    ways = ("secretKeyRef", "secretRef", "'secret':", "PASS")
    return not is_ours and any(way in str(workload.spec) for way in ways)
