"""The blocking client of management commands: django-redis's CACHES["default"], for every form of address.

Without retries: a refused connection took redis-py 4.6 s to report with them, and a write might be sent twice.
"""

import asyncio
from typing import Any

import redis
from django.conf import settings
from django_redis.pool import ConnectionFactory
from redis import exceptions
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from packages.redis_pipe import TLS_OPTIONS, Address, Opener, Reason, slot_of
from packages.redis_pipe.errors import error_from_reply, reason_of
from users_site.repository import CLIENT_NAME, address_of, current_password, keys
from users_site.repository.errors import RepositoryError, StoreUnavailable, from_pipe

REPLY_SECONDS, CONNECT_SECONDS = 10.0, 2.0

# In the order of redis-py's tree: the narrow before the wide.
_REASONS: tuple[tuple[tuple[type[BaseException], ...], Reason], ...] = (
    ((exceptions.BusyLoadingError,), Reason.LOADING),
    ((exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError), Reason.AUTH),
    ((exceptions.TimeoutError,), Reason.TIMEOUT),
    ((exceptions.InvalidResponse,), Reason.PROTOCOL),
)


class StoreFactory(ConnectionFactory):  # type: ignore[misc]
    """How django-redis connects: to the address of the settings, in a small pool of its own."""

    def connect(self, url: str) -> redis.Redis:
        return connect(address_of(settings))


def connect(address: Address) -> redis.Redis:
    """A client that connects at first use; behind Sentinel and in a cluster, to the current primary."""
    options: dict[str, Any] = {
        "db": address.db,
        "client_name": CLIENT_NAME,
        "protocol": 2,
        "socket_timeout": REPLY_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "credential_provider": _Credentials(address) if address.username or _password(address) else None,
    }
    if address.scheme == "unix":
        return redis.Redis(unix_socket_path=address.path, **options)
    options |= {name: value for name, value in address.options.items() if name in TLS_OPTIONS}
    host, port = asyncio.run(_primary(address)) if address.is_moving else address.nodes[0]
    client = redis.Redis(host=host, port=port, ssl=address.is_tls, **options)
    if address.is_cluster:
        _require_whole_slot(client)
    return client


def translated(error: Exception, operation: str, address: Address) -> RepositoryError:
    """The repository's error for one of redis-py, the pipe or the socket, without the server's words."""
    if isinstance(error, exceptions.ResponseError):
        # redis-py removes the code from the text if it has a class for it.
        text = f"{error.status_code} {error}" if error.status_code else str(error)
        return from_pipe(error_from_reply(operation, text))
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return StoreUnavailable(reason)
    return StoreUnavailable(reason_of(error, is_tls=address.is_tls))


class _Credentials(CredentialProvider):
    """Read for each connection: the password's file may have changed."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = _password(self._address) or ""
        return (self._address.username, password) if self._address.username else (password,)


def _password(address: Address) -> str | None:
    return address.password or current_password(settings)


async def _primary(address: Address) -> tuple[str, int]:
    opener = Opener(address, CONNECT_SECONDS, slot_key=keys.index(0), password=lambda: _password(address))
    return (await opener.primary()).node


def _require_whole_slot(client: redis.Redis) -> None:
    """SCAN belongs to no slot and would miss moved keys, and PING succeeds while the cluster is down."""
    client.exists(keys.index(0))
    if b"[%d->-" % slot_of(keys.index(0)) in client.execute_command("CLUSTER", "NODES"):  # type: ignore[no-untyped-call]
        raise exceptions.TryAgainError("the slot is being moved to another node", status_code="TRYAGAIN")
