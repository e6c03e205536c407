"""What redis-py is told to get in: who we are, how long it may take, and TLS.

Its retries are off: a refused connection took 4.6 s to become an error with them. RESP2, because replies are stored
bytes, and RESP3's push frames have no place among replies that come in order.
"""

from typing import Any

from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from packages.redis_pipe.address import TLS_OPTIONS, Address

CLIENT_NAME = "user-service"


def to_server(address: Address, connect_timeout: float) -> dict[str, Any]:
    """For the server that holds the users; a timeout for replies is the caller's."""
    return {
        "db": address.db,
        "username": address.username,
        "password": address.password,
        "client_name": CLIENT_NAME,
        "protocol": 2,
        "socket_timeout": None,
        "socket_connect_timeout": connect_timeout,
    }


def to_those_who_know(address: Address, timeout: float) -> dict[str, Any]:
    """For asyncio's clients of the sentinels, or of the nodes of a cluster, who take what the users' server takes."""
    options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "protocol": 2, "retry": no_async_retry()}
    if address.is_tls:
        options |= {"ssl": True, **tls(address)}
    if address.is_cluster:
        return options | {"username": address.username, "password": address.password}
    return options | {"password": address.options.get("sentinel_password")}


def tls(address: Address) -> dict[str, Any]:
    """Certificates."""
    return {name: value for name, value in address.options.items() if name in TLS_OPTIONS}


def no_async_retry() -> AsyncRetry:
    """For asyncio."""
    return AsyncRetry(NoBackoff(), 0)


def no_retry() -> Retry:
    """For blocking clients."""
    return Retry(NoBackoff(), 0)
