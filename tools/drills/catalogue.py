"""All drills, in the order in which they run."""

from tools.drills.outcome import Drill
from tools.drills.scenarios import (
    clock,
    cluster_grown,
    disk_full,
    linearizable,
    memory,
    network,
    overload,
    partition_lost,
    redis_killed,
    replica_killed,
    restore,
    rolling_restart,
    sentinel_failover,
    slow_clients,
    store_full,
    upstreams,
)

DRILLS: tuple[Drill, ...] = (
    rolling_restart.USERS,
    rolling_restart.GATEWAY,
    replica_killed.DRILL,
    upstreams.ADDRESS,
    upstreams.UPSTREAM,
    redis_killed.DRILL,
    sentinel_failover.DRILL,
    partition_lost.DRILL,
    cluster_grown.DRILL,
    network.CUTS,
    network.SERVICES,
    network.REDIS,
    store_full.DRILL,
    disk_full.DRILL,
    clock.DRILL,
    overload.DRILL,
    slow_clients.DRILL,
    memory.DRILL,
    restore.DRILL,
    linearizable.DRILL,
)
