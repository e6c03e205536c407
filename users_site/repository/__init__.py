"""The only room that speaks Redis. `users` is the repository of this process; its data layout stands in keys.py."""

from django.conf import settings

from common import deadline, tracing
from common.environment import SettingError
from users_site.metrics import observe_redis
from users_site.repository.address import Address
from users_site.repository.connection import Connection
from users_site.repository.traced import TracedConnection
from users_site.repository.users import UserRepository

try:
    _address = Address.from_url(settings.REDIS_URL)
except ValueError as error:
    raise SettingError(str(error)) from error

users = UserRepository(
    (TracedConnection if tracing.is_on else Connection)(
        _address,
        timeout=settings.REDIS_TIMEOUT_MS / 1000,
        connect_timeout=settings.REDIS_CONNECT_TIMEOUT_MS / 1000,
        time_left=deadline.left,
        observe=observe_redis,
    )
)


async def probe() -> None:
    """Returns if Redis answers. Raises StoreUnavailable."""
    await users.connection.ping()
