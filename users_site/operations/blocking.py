"""The blocking client of management commands: redis-py's own, for every form of address."""

import asyncio
from typing import Any

import redis
from redis.exceptions import TryAgainError

from packages.redis_pipe import login
from packages.redis_pipe.address import Address
from packages.redis_pipe.cluster import ASK_OWNER, SLOT
from packages.redis_pipe.opening import find_primary


def blocking_client(address: Address, *, timeout: float = 5.0, connect_timeout: float = 2.0) -> redis.Redis:
    """A client without retries that connects at first use; both times in seconds."""
    options = login.to_server(address, connect_timeout) | {"socket_timeout": timeout, "retry": login.no_retry()}
    if address.scheme == "unix":
        return redis.Redis(unix_socket_path=address.path, **options)
    tls = login.tls(address)
    if address.is_moving:
        kind = _PrimaryTlsConnection if address.is_tls else _PrimaryConnection
        return redis.Redis.from_pool(redis.ConnectionPool(kind, address=address, **options, **tls))
    host, port = address.nodes[0]
    return redis.Redis(host=host, port=port, ssl=address.is_tls, **options, **tls)


class _PrimaryConnection(redis.Connection):
    """Asks who the primary is whenever it connects."""

    def __init__(self, *, address: Address, socket_connect_timeout: float, **options: Any) -> None:
        super().__init__(socket_connect_timeout=socket_connect_timeout, **options)  # type: ignore[no-untyped-call]
        self._connect_timeout = socket_connect_timeout
        self._address = address

    def connect(self) -> None:
        """Raises RedisError."""
        if self.is_connected:
            return
        primary = asyncio.run(find_primary(self._address, self._connect_timeout))
        self.host, self.port = primary.node
        super().connect()  # type: ignore[no-untyped-call]
        if self._address.is_cluster:
            try:
                self._require_whole_slot()
            except redis.RedisError:
                self.disconnect()  # type: ignore[no-untyped-call]
                raise

    def _require_whole_slot(self) -> None:
        """SCAN asks no slot and would pass over what has moved, and PING is answered while the cluster is down."""
        self.send_command(*ASK_OWNER)  # type: ignore[no-untyped-call]
        self.read_response()
        self.send_command("CLUSTER", "NODES")  # type: ignore[no-untyped-call]
        if b"[%d->-" % SLOT in self.read_response():
            raise TryAgainError("the slot is being moved to another node", status_code="TRYAGAIN")


class _PrimaryTlsConnection(_PrimaryConnection, redis.SSLConnection):
    """The same over TLS."""
