"""The only room that speaks Redis. `users` is the repository of this process; its data layout stands in keys.py."""

from django.conf import settings

from common.config.environment import SettingError
from common.http import deadline
from common.observability import tracing
from packages.redis_pipe.address import Address
from packages.redis_pipe.connection import Connection
from packages.redis_pipe.durability import Durability, DurableWrites
from users_site.metrics import observe_redis
from users_site.repository.traced import TracedConnection
from users_site.repository.users import UserRepository

try:
    _address = Address.from_url(settings.REDIS_URL, password=settings.REDIS_PASSWORD)
except ValueError as error:
    raise SettingError(str(error)) from error

_timeout = settings.REDIS_TIMEOUT_MS / 1000


def _connection(kind: type[Connection]) -> Connection:
    connect_timeout = settings.REDIS_CONNECT_TIMEOUT_MS / 1000
    return kind(
        _address, timeout=_timeout, connect_timeout=connect_timeout, time_left=deadline.left, observe=observe_redis
    )


def _durable() -> DurableWrites | None:
    durability = Durability(settings.DURABILITY)
    if durability is Durability.MEMORY:
        return None
    return DurableWrites(_connection(Connection), durability, timeout=_timeout, time_left=deadline.left)


users = UserRepository(_connection(TracedConnection if tracing.is_on else Connection), _durable())


async def probe() -> None:
    """Returns if Redis serves the users, and can make writes durable where that is asked for. Raises RepositoryError."""
    await users.count()  # PING would be answered by a node of a cluster that is down
    if users.durable is not None:
        await users.durable.probe(users.connection)
