"""The gateway's settings."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from common import environment
from common.json_logging import logging_settings
from common.settings import (
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
    MIDDLEWARE,
    REST_FRAMEWORK,
    SECRET_KEY,
    SHARED_APPS,
    SILENCED_SYSTEM_CHECKS,
    SPECTACULAR_SETTINGS,
    STATIC_URL,
    TEMPLATES,
    TIME_ZONE,
    USE_I18N,
    USE_TZ,
    WEB_CONCURRENCY,
)

SERVICE = "api-gateway"
PORT = environment.integer("PORT", 3000, minimum=1, maximum=65_535)
ROOT_URLCONF = "gateway_site.urls"
INSTALLED_APPS = [*SHARED_APPS, "gateway_site"]
LOGGING = logging_settings(SERVICE)
SCHEMA_MODULE = "gateway_site.schema"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    surplus = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in {"http", "https"} or not parts.hostname or surplus or parts.port == 0:
        raise ValueError(url)
    return f"{parts.scheme}://{parts.netloc}"


def _networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(item.strip()) for item in value.split(",") if item.strip())


environment.required("USER_SERVICE_URL", "give the user service's address, e.g. http://user-service:3001")
USER_SERVICE_URL = environment.parsed("USER_SERVICE_URL", "", _origin, "an address like http://user-service:3001")
UPSTREAM_TIMEOUT_MS = environment.integer("UPSTREAM_TIMEOUT_MS", 5000, minimum=1, maximum=600_000)
UPSTREAM_CONNECT_TIMEOUT_MS = environment.integer("UPSTREAM_CONNECT_TIMEOUT_MS", 500, minimum=1, maximum=60_000)
TRUSTED_PROXIES = environment.parsed("TRUSTED_PROXIES", "", _networks, "CIDRs like 10.0.0.0/8,192.168.0.1/32")

if not DEBUG:
    environment.required("AUTH", "set it to none to let everyone in")
AUTH = environment.choice("AUTH", "none", ("none",))

PROBES = {"user-service": "gateway_site.user_service.probe"}
OVERLOAD_PROBLEM = "upstream-unavailable"
GRACE_SECONDS = UPSTREAM_TIMEOUT_MS // 1000 + 5
"""How long what is in flight may take after the drain: the longest that one request may, and a margin."""

__all__ = [
    "ALLOWED_HOSTS",
    "APP_REVISION",
    "APP_VERSION",
    "DATABASES",
    "DEBUG",
    "DRAIN_SECONDS",
    "HOST",
    "LOG_LEVEL",
    "MAX_BODY_BYTES",
    "MAX_IN_FLIGHT",
    "MIDDLEWARE",
    "REST_FRAMEWORK",
    "SECRET_KEY",
    "SILENCED_SYSTEM_CHECKS",
    "SPECTACULAR_SETTINGS",
    "STATIC_URL",
    "TEMPLATES",
    "TIME_ZONE",
    "USE_I18N",
    "USE_TZ",
    "WEB_CONCURRENCY",
]
