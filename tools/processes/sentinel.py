"""A primary, its replica and a sentinel, for tests."""

import contextlib
from collections.abc import Iterator

from tools.processes.valkey import PASSWORD, Valkey, valkey


@contextlib.contextmanager
def sentinel_of(primary: Valkey) -> Iterator[Valkey]:
    settings = [
        f"sentinel monitor mymaster 127.0.0.1 {primary.port} 1",
        f'sentinel auth-pass mymaster "{PASSWORD}"',
        # Sentinel asks only once a second: with less it takes the living for dead, and fails over again and again
        "sentinel down-after-milliseconds mymaster 1500",
        "sentinel failover-timeout mymaster 3000",
    ]
    with valkey(*settings, sentinel=True, password="") as sentinel:
        yield sentinel


@contextlib.contextmanager
def replica_of(primary: Valkey) -> Iterator[Valkey]:
    with valkey(f"replicaof 127.0.0.1 {primary.port}") as replica:
        replica.wait_for(lambda client: client.info("replication")["master_link_status"] == "up")
        yield replica


def sentinel_url(*sentinels: int) -> str:
    nodes = ",".join(f"127.0.0.1:{port}" for port in sentinels)
    return f"redis+sentinel://:p%40ss%2Fword%3A1@{nodes}/mymaster/0"
