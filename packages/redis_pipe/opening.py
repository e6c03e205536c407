"""Opens connections: asks where the primary is, where that may change, and hands over a socket that is logged in.

Opening, TLS, AUTH, SELECT are redis-py's.
"""

import asyncio
from typing import NamedTuple, cast

from redis.asyncio import Connection as TcpConnection
from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AskError, MovedError

from packages.redis_pipe import login
from packages.redis_pipe.address import Address
from packages.redis_pipe.cluster import ASK_OWNER, Cluster
from packages.redis_pipe.discovery import Discovery, Node, Primary
from packages.redis_pipe.sentinel import Sentinels


class Opened(NamedTuple):
    """An open connection, and who it leads to where that may change."""

    writer: asyncio.StreamWriter
    primary: Primary | None


async def open_connection(address: Address, connect_timeout: float) -> Opened:
    """Connect, authenticate and select; behind Sentinel and in a cluster, to the primary of now.

    Raises what redis-py and the socket raise: `reasons` says what it means. The caller bounds the whole.
    """
    primary = await find_primary(address, connect_timeout) if address.is_moving else None
    connection = _connection(address, connect_timeout, primary.node if primary else None)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
        if primary is not None:
            await _require_primary(connection, address)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    # The one private thing that we take, as redis-py has no public way to give an open connection away.
    # Reading by its read_response() cost 1.5 times the CPU with 1 and 1.3 with 4 commands in flight.
    writer = cast(asyncio.StreamWriter, connection._writer)
    connection._reader = connection._writer = None
    return Opened(writer, primary)


async def find_primary(address: Address, timeout: float) -> Primary:
    """The primary of now. Raises RedisError."""
    async with _discovery(address, timeout) as discovery:
        return await discovery.primary()


async def replaced(address: Address, primary: Primary, timeout: float) -> None:
    """Return when another server is the primary."""
    async with _discovery(address, timeout) as discovery:
        await discovery.replaced(primary)


def _discovery(address: Address, timeout: float) -> Discovery:
    # Half of the time, so that one who is silent leaves the other half for the primary.
    half = timeout / 2
    options = login.to_those_who_know(address, half)
    if address.is_cluster:
        return Cluster(address.nodes, options, half)
    return Sentinels(address.nodes, address.service, options, half)


def _connection(address: Address, connect_timeout: float, primary: Node | None) -> AbstractConnection:
    options = login.to_server(address, connect_timeout) | {"retry": login.no_async_retry()}
    if address.scheme == "unix":
        return UnixDomainSocketConnection(path=address.path, **options)
    host, port = primary or address.nodes[0]
    options |= {"host": host, "port": port}
    return SSLConnection(**options, **login.tls(address)) if address.is_tls else TcpConnection(**options)


async def _require_primary(connection: AbstractConnection, address: Address) -> None:
    """Raise RedisError for a server that was named by somebody who has not heard of a change yet."""
    if address.is_cluster:
        await connection.send_command(*ASK_OWNER)
        try:
            await connection.read_response()
        except AskError as error:  # of the slot's owner, who is giving it away: it has the rest of the keys
            if isinstance(error, MovedError):
                raise
        return
    await connection.send_command("HELLO", 2)  # not ROLE: an ACL without @dangerous forbids it
    fields = await connection.read_response()
    if dict(zip(fields[::2], fields[1::2], strict=True)).get(b"role") != b"master":
        raise MasterNotFoundError("the server that the sentinels named is no primary")
