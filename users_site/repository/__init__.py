"""Finds and stores users in Redis. The data layout is in keys.py."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

from common.config import environment
from common.config.environment import SettingError
from common.http import deadline
from common.observability.notices import Notices
from packages import redis_pipe
from packages.redis_pipe import Address, Connection, Durability, DurableWrites, Options, Reason
from users_site.repository.keys import Layout
from users_site.repository.metrics import REDIS_DURATION
from users_site.repository.replicas import ReplicaCheck
from users_site.repository.store import Store, has_written
from users_site.repository.traced import Traced
from users_site.repository.users import UserRepository

CLIENT_NAME = "user-service"
MAX_WAITING = Options.max_waiting

logger = logging.getLogger(__name__)


def connect(settings: Any, *, is_quiet: bool = False) -> UserRepository:
    """The repository on the store of the settings; connects for the first command. Raises SettingError."""
    address = address_of(settings)
    layout = Layout(settings.PARTITIONS)
    notices = Notices(logger)
    options = Options(
        timeout=settings.REDIS_TIMEOUT_MS / 1000,
        connect_timeout=settings.REDIS_CONNECT_TIMEOUT_MS / 1000,
        time_left=deadline.left,
        observe=REDIS_DURATION.observe,
        on_state=None if is_quiet else partial(_log_state, notices),
        client_name=CLIENT_NAME,
        password=partial(current_password, settings, notices),
    )
    connection = partial(redis_pipe.connect, address, layout.partitions[0].index, options)
    durability = Durability(settings.DURABILITY)
    durable = None if durability is Durability.MEMORY else DurableWrites(connection(), durability, has_written)
    reads: Connection = Traced(connection()) if settings.TRACES else connection()
    replicas = ReplicaCheck() if settings.READS_REQUIRE_REPLICA else None
    return UserRepository(Store(reads, durable, layout), replicas)


def address_of(settings: Any) -> Address:
    """The store's address in the settings. Raises SettingError."""
    try:
        return Address.from_url(settings.REDIS_URL)
    except ValueError as error:
        raise SettingError(str(error)) from error


def current_password(settings: Any, notices: Notices | None = None) -> str | None:
    """The password for a URL without one; read from REDIS_PASSWORD_FILE for each connection, because it may be rotated."""
    if not settings.REDIS_PASSWORD_FILE:
        password: str | None = settings.REDIS_PASSWORD
        return password
    try:
        text = Path(settings.REDIS_PASSWORD_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        notices = notices or Notices(logger)
        notices.warn("REDIS_PASSWORD_FILE cannot be read: mount a text file", error=type(error).__name__)
        return None
    environment.hide(text)
    return text or None


def _log_state(notices: Notices, reason: Reason | None) -> None:
    if reason is None:
        notices.warn("Redis is back")
    else:
        notices.warn("Redis is lost", reason=reason)
