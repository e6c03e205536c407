"""The blocking client of management commands: django-redis's CACHES["default"], for every form of address.

Without redis-py's retries, which delay the report of a refused connection by 4.6 s and might send a write twice.
"""

import asyncio
from typing import Any

import redis
from django.conf import settings
from django.core.cache import caches
from django_redis import get_redis_connection
from django_redis.pool import ConnectionFactory
from redis import exceptions
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from packages.redis_pipe import TLS_OPTIONS, Address, Opener, Options, Reason, slot_of
from packages.redis_pipe.errors import error_from_reply, reason_of
from users_site.repository import CLIENT_NAME, address_of, current_password
from users_site.repository.errors import RepositoryError, StoreUnavailable, from_pipe
from users_site.repository.keys import Layout

REPLY_SECONDS, CONNECT_SECONDS = 10.0, 2.0

_REASONS: dict[type[Exception], Reason] = {
    exceptions.BusyLoadingError: Reason.LOADING,
    exceptions.AuthenticationError: Reason.AUTH,
    exceptions.AuthorizationError: Reason.AUTH,
    exceptions.TimeoutError: Reason.TIMEOUT,
    exceptions.InvalidResponse: Reason.PROTOCOL,
}


class StoreFactory(ConnectionFactory):  # type: ignore[misc]
    """Connects django-redis to the address of the settings, with its own small pool."""

    def connect(self, url: str) -> redis.Redis:
        """A client that connects at first use; behind Sentinel and in a cluster, to the current primary."""
        return connect(address_of(settings), Layout(settings.PARTITIONS).partitions[0].index)


def connect(address: Address, slot_key: str) -> redis.Redis:
    """A client of the server that holds a key. It connects at first use; the look-up of the server connects immediately."""
    if address.scheme == "unix":
        return redis.Redis(unix_socket_path=address.path, **_options(address))
    node = asyncio.run(_opener(address).primary(slot_key)) if address.is_moving else address.nodes[0]
    return _client(address, node)


class Clients:
    """The clients of a store: one, or several for a cluster with several partitions."""

    def __init__(self, address: Address, layout: Layout, *, is_default: bool) -> None:
        self._is_spread = address.is_cluster and layout.count > 1
        self._is_default = is_default and not self._is_spread
        slots = [slot_of(partition.index) for partition in layout.partitions]
        if self._is_spread:
            self._by_slot = _clients_by_slot(address)
        else:
            only = get_redis_connection("default") if is_default else connect(address, layout.partitions[0].index)
            self._by_slot = dict.fromkeys((0, *slots), only)
        try:
            self._used = {slot: self._of(slot) for slot in slots}
            if address.is_cluster:
                for slot, client in self._used.items():
                    _require_whole_slot(client, slot)
        except Exception:
            self.close()
            raise

    def of(self, key: bytes | str) -> redis.Redis:
        """It does not follow redirections: the operator repeats the command."""
        return self._of(self.slot(key))

    def slot(self, key: bytes | str) -> int:
        """A number; keys with the same one may be in one command."""
        return slot_of(key.decode(errors="replace") if isinstance(key, bytes) else key) if self._is_spread else 0

    def every(self) -> list[redis.Redis]:
        return list(dict.fromkeys(self._used.values()))

    def close(self) -> None:
        for client in set(self._by_slot.values()):
            client.close()
        if self._is_default:
            del caches["default"]

    def _of(self, slot: int) -> redis.Redis:
        if slot not in self._by_slot:
            raise StoreUnavailable(Reason.CLUSTERDOWN)
        return self._by_slot[slot]


def _clients_by_slot(address: Address) -> dict[int, redis.Redis]:
    owners = asyncio.run(_opener(address).owners())
    clients = {node: _client(address, node) for node in set(owners.values())}
    return {slot: clients[node] for slot, node in owners.items()}


def translated(error: Exception, operation: str, address: Address) -> RepositoryError:
    """The repository's error for one of redis-py, the pipe or the socket, without the server's text."""
    if isinstance(error, exceptions.ResponseError):
        # redis-py removes the code from the text if it has a class for it.
        text = f"{error.status_code} {error}" if error.status_code else str(error)
        return from_pipe(error_from_reply(operation, text))
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return StoreUnavailable(reason)
    return StoreUnavailable(reason_of(error, is_tls=address.is_tls))


class _Credentials(CredentialProvider):
    """Credentials read for each connection: the password's file may have changed."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = _password(self._address) or ""
        return (self._address.username, password) if self._address.username else (password,)


def _password(address: Address) -> str | None:
    return address.password or current_password(settings)


def _options(address: Address) -> dict[str, Any]:
    return {
        "db": address.db,
        "client_name": CLIENT_NAME,
        "protocol": 2,
        "socket_timeout": REPLY_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "credential_provider": _Credentials(address) if address.username or _password(address) else None,
    }


def _client(address: Address, node: tuple[str, int]) -> redis.Redis:
    tls = {name: value for name, value in address.options.items() if name in TLS_OPTIONS}
    options = _options(address) | tls
    return redis.Redis(host=node[0], port=node[1], ssl=address.is_tls, **options)


def _opener(address: Address) -> Opener:
    return Opener(address, Options(REPLY_SECONDS, CONNECT_SECONDS, password=lambda: _password(address)))


def _require_whole_slot(client: redis.Redis, slot: int) -> None:
    """Raises while a slot moves: SCAN would miss moved keys."""
    if b"[%d->-" % slot in client.execute_command("CLUSTER", "NODES"):  # type: ignore[no-untyped-call]
        raise exceptions.TryAgainError("the slot is being moved to another node", status_code="TRYAGAIN")
