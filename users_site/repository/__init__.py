"""Finds and stores users in Redis. The data layout stands in keys.py."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

from common.config import environment
from common.config.environment import SettingError
from common.http import deadline
from packages.redis_pipe import Address, Durability, DurableWrites, OnState, Pipe, Reason
from users_site.repository import keys
from users_site.repository.metrics import observe_redis
from users_site.repository.traced import TracedPipe
from users_site.repository.users import UserRepository, has_written

CLIENT_NAME = "user-service"

logger = logging.getLogger(__name__)


def log_state(reason: Reason | None) -> None:
    """One line for each change of state."""
    if reason is None:
        logger.warning("Redis is back")
    else:
        logger.warning("Redis is lost (%s)", reason)


def connect(settings: Any, *, timeout: float | None = None, on_state: OnState | None = log_state) -> UserRepository:
    """The repository on the store that the settings name; connects with the first command. Raises SettingError."""
    address = address_of(settings)
    timeout = timeout or settings.REDIS_TIMEOUT_MS / 1000

    def pipe(kind: type[Pipe]) -> Pipe:
        return kind(
            address,
            timeout=timeout,
            connect_timeout=settings.REDIS_CONNECT_TIMEOUT_MS / 1000,
            time_left=deadline.left,
            observe=observe_redis,
            on_state=on_state,
            slot_key=keys.index(0),
            client_name=CLIENT_NAME,
            password=partial(current_password, settings),
        )

    durable = None
    durability = Durability(settings.DURABILITY)
    if durability is not Durability.MEMORY:
        durable = DurableWrites(
            pipe(Pipe), durability, timeout=timeout, has_written=has_written, time_left=deadline.left
        )
    return UserRepository(pipe(TracedPipe if settings.TRACES else Pipe), durable)


def address_of(settings: Any) -> Address:
    """Where the settings say that the store is. Raises SettingError."""
    try:
        return Address.from_url(settings.REDIS_URL)
    except ValueError as error:
        raise SettingError(str(error)) from error


def current_password(settings: Any) -> str | None:
    """The password for a URL that has none; of REDIS_PASSWORD_FILE what it holds now, so that a rotated one is found."""
    if not settings.REDIS_PASSWORD_FILE:
        password: str | None = settings.REDIS_PASSWORD
        return password
    try:
        text = Path(settings.REDIS_PASSWORD_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        logger.error("REDIS_PASSWORD_FILE cannot be read (%s): mount a text file", type(error).__name__)
        return None
    environment.hide(text)
    return text or None
