"""Finds and stores users in Redis. The data layout stands in keys.py."""

from typing import Any

from common.config.environment import SettingError
from common.http import deadline
from common.observability import tracing
from packages.redis_pipe.address import Address
from packages.redis_pipe.connection import Connection
from packages.redis_pipe.durability import Durability, DurableWrites
from users_site.repository.traced import TracedConnection
from users_site.repository.users import UserRepository


def connect(settings: Any) -> UserRepository:
    """The repository on the store that the settings name; connects with the first command. Raises SettingError."""
    from users_site.metrics import observe_redis

    try:
        address = Address.from_url(settings.REDIS_URL, password=settings.REDIS_PASSWORD)
    except ValueError as error:
        raise SettingError(str(error)) from error
    timeout = settings.REDIS_TIMEOUT_MS / 1000

    def connection(kind: type[Connection]) -> Connection:
        return kind(
            address,
            timeout=timeout,
            connect_timeout=settings.REDIS_CONNECT_TIMEOUT_MS / 1000,
            time_left=deadline.left,
            observe=observe_redis,
        )

    durable = None
    durability = Durability(settings.DURABILITY)
    if durability is not Durability.MEMORY:
        durable = DurableWrites(connection(Connection), durability, timeout=timeout, time_left=deadline.left)
    return UserRepository(connection(TracedConnection if tracing.is_on else Connection), durable)
