"""A primary's replica and sentinels, for tests."""

import contextlib
from collections.abc import Iterator

from tools.processes.valkey import Valkey, valkey

NAME = "mymaster"


@contextlib.contextmanager
def sentinel_of(primary: Valkey, quorum: int = 1, failover_ms: int = 3000) -> Iterator[Valkey]:
    settings = [
        f"sentinel monitor {NAME} 127.0.0.1 {primary.port} {quorum}",
        f'sentinel auth-pass {NAME} "{primary.password}"',
        # Sentinel pings only once a second: with less it declares live servers down, and fails over repeatedly
        f"sentinel down-after-milliseconds {NAME} 1500",
        f"sentinel failover-timeout {NAME} {failover_ms}",
    ]
    with valkey(*settings, sentinel=True, password="") as sentinel:
        yield sentinel


@contextlib.contextmanager
def replica_of(primary: Valkey) -> Iterator[Valkey]:
    with valkey(f"replicaof 127.0.0.1 {primary.port}") as replica:
        replica.wait_for(lambda client: client.info("replication")["master_link_status"] == "up")
        yield replica


def sentinel_url(*sentinels: int, password: str = "p%40ss%2Fword%3A1") -> str:  # noqa: S107
    nodes = ",".join(f"127.0.0.1:{port}" for port in sentinels)
    return f"redis+sentinel://:{password}@{nodes}/{NAME}/0"
