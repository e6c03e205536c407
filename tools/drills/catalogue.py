"""All drills: their names and scenarios, which run one after the other, each on its own stage."""

from collections.abc import Awaitable, Callable
from functools import partial

from tools.drills.scenarios import (
    clients,
    clock,
    linearizable,
    network,
    overload,
    partitions,
    replicas,
    restore,
    stores,
    upstreams,
)
from tools.drills.scenarios.network import BEFORE_REDIS, BETWEEN_SERVICES
from tools.drills.stage import Stage

Play = Callable[[Stage], Awaitable[None]]

# The drills of CI: without root.
QUICK: dict[str, list[Play]] = {
    "rolling-restart-users": [partial(replicas.roll, site="users_site")],
    "rolling-restart-gateway": [partial(replicas.roll, site="gateway_site")],
    "replica-killed": [partial(replicas.kill, site="users_site"), partial(replicas.kill, site="gateway_site")],
    "one-address": [upstreams.one_address],
    "redis-killed": [
        partial(stores.kill, durability="memory", appendfsync="everysec"),
        partial(stores.kill, durability="fsync", appendfsync="everysec"),
        partial(stores.kill, durability="fsync", appendfsync="always"),
    ],
    "sentinel-failover": [
        partial(stores.fail_over, durability="replicated"),
        partial(stores.fail_over, durability="memory"),
    ],
    "partition-lost": [
        partial(partitions.lose, replicas=3, durability="replicated"),
        partial(partitions.lose, replicas=1, durability="fsync"),
    ],
    "cluster-grown": [partitions.grow],
    "network-cut": [network.cut],
    "network-services": [partial(network.relayed, places=(BETWEEN_SERVICES,))],
    "network-redis": [partial(network.relayed, places=(BEFORE_REDIS,))],
    "clock": [clock.step_back],
}
DRILLS = QUICK | {
    "one-upstream": [upstreams.one_upstream],
    "store-full": [stores.fill],  # CI runs it as a test
    "disk-full": [stores.fill_disk],
    "overload": [overload.flood],
    "slow-clients": [clients.slow],
    "memory": [clients.floods],
    "store-moved": [partitions.move],
    "restore": [restore.play],
    "linearizable": [
        partial(linearizable.one_server, partitions="1"),
        partial(linearizable.one_server, partitions="16"),
        linearizable.failover,
        linearizable.on_cluster,
    ],
}


def says(name: str) -> str:
    """The first line of the scenario's docstring."""
    play = DRILLS[name][0]
    return str(getattr(play, "func", play).__doc__).partition("\n")[0].rstrip(".")
