"""`manage_users.py check --deploy`: settings and store in production. Plain `check` connects to no Redis.

users.W001 DEBUG              W004 stop takes too long      W011 plain text to another host    W021 eviction policy
users.W002 SECRET_KEY         W005 no drain                 W012 no password                   W022 no AOF
users.W003 ALLOWED_HOSTS      W010 more requests than       W013 time-outs of Redis too long   W023 no maxmemory
                              commands may wait             W020 Redis cannot be asked         W024 not a primary
                                                                                               W025 node of a cluster
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register

from common.config.deployment import Fault, shared_faults, warnings
from users_site import repository
from users_site.repository.errors import RepositoryError

GATEWAY_TIMEOUT_MS = 5000
"""The gateway's default UPSTREAM_TIMEOUT_MS."""


@register()
def address_of_the_store(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Raises SettingError for a REDIS_URL that is malformed."""
    repository.address_of(settings)
    return []


@register(Tags.security, deploy=True)
def settings_in_production(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    return warnings("users", shared_faults()) + warnings("users", _store_faults())


@register(Tags.security, deploy=True)
def store_in_production(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The configuration of the live server; a warning if it does not answer in time."""
    return warnings("users", _server_faults())


def _store_faults() -> Iterator[Fault]:
    address = repository.address_of(settings)
    if (room := repository.MAX_WAITING) < settings.MAX_IN_FLIGHT:
        yield (
            10,
            f"MAX_IN_FLIGHT is {settings.MAX_IN_FLIGHT}, but only {room} commands may wait",
            f"set MAX_IN_FLIGHT to {room} or less: a replica answers some 5,000 requests a second",
        )
    if address.is_plain_text_to_others:
        yield (
            11,
            f"users and the password go to {address} in plain text",
            "use rediss://, or let the network encrypt (a mesh, WireGuard between nodes) and silence users.W011",
        )
    if not (address.password or repository.current_password(settings)):
        yield 12, f"{address} is used without a password", "set requirepass there, and REDIS_PASSWORD_FILE here"
    together = settings.REDIS_TIMEOUT_MS + settings.REDIS_CONNECT_TIMEOUT_MS
    if together >= GATEWAY_TIMEOUT_MS:
        yield (
            13,
            f"a request may wait {together} ms for Redis, longer than the gateway waits ({GATEWAY_TIMEOUT_MS} ms)",
            "keep both time-outs together below its UPSTREAM_TIMEOUT_MS, otherwise clients get 504 instead of 503",
        )


def _server_faults() -> Iterator[Fault]:
    from users_site.operations.bulk import Bulk  # redis-py is not for the service

    address = repository.address_of(settings)
    try:
        with closing(Bulk(is_checked=False)) as bulk:
            infos = bulk.infos()
    except RepositoryError as error:
        yield 20, f"{address} was not checked: {error}", "run this where the service runs; the rest was checked"
        return
    if policies := _others("noeviction", "maxmemory_policy", infos):
        yield (
            21,
            f"Redis deletes users when memory is full: its maxmemory-policy is {policies}",
            "set maxmemory-policy noeviction: writes are refused with 503 instead",
        )
    if not all(info.get("aof_enabled") for info in infos):
        yield 22, "Redis keeps no append-only file: a restart loses users", "set appendonly yes, on a volume"
    if not all(info.get("maxmemory") for info in infos):
        yield (
            23,
            "Redis has no maxmemory: it grows until the kernel kills it, instead of refusing writes",
            "set maxmemory to three quarters of the container's limit: the rest is for forks and buffers",
        )
    if roles := _others("master", "role", infos):
        yield 24, f"Redis is a {roles}: it accepts no writes", "point REDIS_URL at the primary, or at the sentinels"
    if infos[0].get("cluster_enabled") and not address.is_cluster:
        yield (
            25,
            "Redis is a node of a cluster, which may give the users' slot to another node",
            "use redis+cluster:// with some of its nodes",
        )


def _others(wanted: str, name: str, infos: list[dict[str, Any]]) -> str:
    """The values that any server has in place of the wanted one."""
    return ", ".join(sorted({str(info.get(name, "unknown")) for info in infos} - {wanted}))
