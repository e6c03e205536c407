import re
from contextlib import suppress
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from common.config import environment
from common.config.settings import (
    ALLOWED_HOSTS,
    APP_REVISION,
    APP_VERSION,
    DATABASES,
    DEBUG,
    DRAIN_SECONDS,
    HOST,
    LOG_LEVEL,
    MAX_BODY_BYTES,
    MAX_IN_FLIGHT,
    PUBLIC_URL,
    REST_FRAMEWORK,
    SECRET_KEY,
    SHARED_APPS,
    SILENCED_SYSTEM_CHECKS,
    SPECTACULAR_SETTINGS,
    STATIC_URL,
    TEMPLATES,
    TIME_ZONE,
    TRACES,
    USE_I18N,
    USE_TZ,
    WEB_CONCURRENCY,
)
from common.observability.json_logging import logging_settings

SERVICE = "user-service"
PORT = environment.integer("PORT", 3001, minimum=1, maximum=65_535)
SITE = "users_site"
INSTALLED_APPS = [*SHARED_APPS, "users_contract", "users_site"]
LOGGING = logging_settings(SERVICE, APP_VERSION, LOG_LEVEL)
SCHEMA_MODULE = "users_site.schema"
SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"]["Role"] = "users_contract.contracts.ROLES"


def _host(value: str) -> str:
    """For a URL: an IPv6 address in brackets."""
    if ":" in value:
        return f"[{IPv6Address(value.strip('[]'))}]"
    if not re.fullmatch("[A-Za-z0-9_.-]+", value):
        raise ValueError(value)
    return value


def _redis_url() -> str:
    """REDIS_URL, which the repository parses, or one made of REDIS_HOST and REDIS_PORT."""
    url = environment.text("REDIS_URL")
    if url:
        with suppress(ValueError):
            environment.hide(urlsplit(url).password or "")
        return url
    environment.required("REDIS_HOST", "set it, or REDIS_URL to redis://:password@host:6379/0")
    host = environment.parsed("REDIS_HOST", "", _host, "a host name or an IP address, without a port")
    port = environment.integer("REDIS_PORT", 6379, minimum=1, maximum=65_535)
    return f"redis://{host}:{port}/0"


REDIS_URL = _redis_url()
REDIS_PASSWORD = environment.secret("REDIS_PASSWORD") or None
"""For a REDIS_URL without a password: a mounted file contains a password, not a URL."""

REDIS_PASSWORD_FILE = environment.text("REDIS_PASSWORD_FILE")
"""Read again for each connection: a rotated password needs no restart."""

CACHES = {
    "default": {
        "BACKEND": "django_prometheus.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"CONNECTION_FACTORY": "users_site.operations.client.StoreFactory"},
    }
}
"""django-redis, for management commands; the service has its own pipe."""

REDIS_TIMEOUT_MS = environment.integer("REDIS_TIMEOUT_MS", 1000, minimum=1, maximum=60_000)
REDIS_CONNECT_TIMEOUT_MS = environment.integer("REDIS_CONNECT_TIMEOUT_MS", 500, minimum=1, maximum=60_000)

DURABILITY = environment.choice("DURABILITY", "memory", ("memory", "fsync", "replicated"))
"""When a write is acknowledged (packages/redis_pipe)."""

READS_REQUIRE_REPLICA = environment.boolean("READS_REQUIRE_REPLICA", default=False)
"""Refuse reads while no replica follows the primary: they could show writes that a failover loses."""

if READS_REQUIRE_REPLICA and DURABILITY != "replicated":
    raise environment.SettingError("READS_REQUIRE_REPLICA needs DURABILITY=replicated: set both, or neither")

PARTITIONS = int(environment.choice("PARTITIONS", "1", ("1", "16", "64")))
"""The number of slots that hold the users: 1, or for a cluster 16 or 64; that of the store."""

BEHIND_GATEWAY = True
TRUSTED_HOPS = 0
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES") or None
"""The gateways whose X-Forwarded-* are accepted. Not set: every peer's, because the network admits only the gateway."""

NAVIGATION = (("users", "/users"), ("docs", "/docs"))
FRONT_NAVIGATION = (("home", "/"), ("problems", "/problems"))
OVERLOAD_PROBLEM = "store-unavailable"
GRACE_SECONDS = 10
"""Bound on the requests in flight after the drain: twice the gateway's default time-out."""
