import socket
from urllib.parse import quote, urlsplit

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
from gateway_site.routes import rate
from gateway_site.routes.reading import OwnAddress, table
from gateway_site.routes.source import Malformed, is_file
from gateway_site.routes.values import origin

SERVICE = "api-gateway"
PORT = environment.integer("PORT", 3000, minimum=1, maximum=65_535)
SITE = "gateway_site"
BEHIND_GATEWAY = False
INSTALLED_APPS = [*SHARED_APPS, "users_contract", "gateway_site"]
LOGGING = logging_settings(SERVICE, APP_VERSION, LOG_LEVEL)
LOGGING["loggers"]["audit"] = {"level": "INFO"}  # at every LOG_LEVEL
SCHEMA_MODULE = "gateway_site.schema"
SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"]["Role"] = "users_contract.contracts.ROLES"


def _address(url: str) -> str:
    """An origin with a path and a query."""
    parts = urlsplit(url)
    origin(f"{parts.scheme}://{parts.netloc}")
    if not url.isascii() or len(url.split()) != 1:
        raise ValueError(url)
    return url


def _names(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in value.split(",") if item.strip()))


def _origins(value: str) -> frozenset[str]:
    """As browsers send them: scheme and host in lower case, no default port, no path."""
    origins = frozenset(_names(value))
    for given in origins:
        parts = urlsplit(given)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        if origin(given) != given or given != given.lower() or parts.port == default:
            raise ValueError(given)
    return origins


def _ways(value: str) -> tuple[str, ...]:
    ways = tuple(dict.fromkeys(item.strip().lower() for item in value.split(",")))
    if ways == ("none",):
        return ()
    if not {"jwt", "apikey"}.issuperset(ways):
        raise ValueError(value)
    return ways


def _limit_store(url: str) -> str:
    """`local`, or the URL of one Redis server or of its sentinels."""
    if url.lower() == "local":
        return "local"
    from packages.redis_pipe import Address  # loaded for a shared store only

    try:
        address = Address.from_url(url, "RATE_LIMIT_STORE")
    except ValueError as error:
        raise environment.SettingError(f"{error}, or local") from None
    if address.is_cluster:
        raise environment.SettingError("RATE_LIMIT_STORE is a cluster: use redis:// or redis+sentinel://")
    environment.hide(address.password or "")
    return url


UPSTREAM_TIMEOUT_MS = environment.integer("UPSTREAM_TIMEOUT_MS", 5000, minimum=1, maximum=600_000)
UPSTREAM_CONNECT_TIMEOUT_MS = environment.integer("UPSTREAM_CONNECT_TIMEOUT_MS", 500, minimum=1, maximum=60_000)
UPSTREAM_MAX_TIMEOUTS = environment.integer("UPSTREAM_MAX_TIMEOUTS", 3, minimum=1, maximum=1000)
"""Consecutive time-outs that open the circuit."""

if not environment.text("ROUTES"):
    environment.required("USER_SERVICE_URL", "give the user service's address, e.g. http://user-service:3001")
USER_SERVICE_URL = environment.parsed(
    "USER_SERVICE_URL", "", lambda url: url and origin(url), "an address like http://user-service:3001"
)
_public = urlsplit(PUBLIC_URL or "")
OWN_ADDRESS = OwnAddress(
    PORT,
    frozenset((*ALLOWED_HOSTS, socket.gethostname().lower())),
    (_public.hostname or "", _public.port or (443 if _public.scheme == "https" else 80)),
    has_neighbours=environment.boolean("LOOPBACK_UPSTREAMS", default=True),
)
ROUTES_SOURCE = (
    environment.text("ROUTES"),
    USER_SERVICE_URL,
    {"timeout_ms": UPSTREAM_TIMEOUT_MS},
    {"connect_timeout_ms": UPSTREAM_CONNECT_TIMEOUT_MS, "max_timeouts": UPSTREAM_MAX_TIMEOUTS},
    OWN_ADDRESS,
)
"""The arguments of routes.reading.table, also when the file changes."""
try:
    ROUTES = table(*ROUTES_SOURCE)
except Malformed as error:
    raise environment.SettingError(f"ROUTES: {error}") from None
ROUTES_FILE = ROUTES_SOURCE[0] if is_file(ROUTES_SOURCE[0]) else ""
USER_SERVICE_URL = ROUTES.upstreams[ROUTES.users.upstream].url

TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES")

TRUSTED_HOPS = environment.integer("TRUSTED_HOPS", 0, minimum=0, maximum=16)
"""The number of proxies in front, if TRUSTED_PROXIES cannot list their addresses."""

if not DEBUG:
    environment.required("AUTH", "set it to none to accept every caller")
AUTH = environment.parsed("AUTH", "none", _ways, "none, jwt, apikey or jwt,apikey")
"""The accepted credentials, `jwt` and `apikey`; empty: every caller may do everything."""

AUTH_JWKS_URL = AUTH_ISSUER = AUTH_AUDIENCE = AUTH_API_KEYS_FILE = ""
AUTH_SCOPE_CLAIM = _names(environment.text("AUTH_SCOPE_CLAIM")) or ("scope", "scp")
"""The claims with a token's scopes, in this order; e.g. `roles` or `permissions`."""

if "jwt" in AUTH:
    environment.required("AUTH_JWKS_URL", "set it to the address of the issuer's keys")
    AUTH_JWKS_URL = environment.parsed(
        "AUTH_JWKS_URL", "", _address, "an address like https://issuer.example/jwks.json"
    )
    AUTH_ISSUER = environment.required("AUTH_ISSUER", "set it to the `iss` of the tokens")
    AUTH_AUDIENCE = environment.required("AUTH_AUDIENCE", "set it to the `aud` of tokens for this API")
if "apikey" in AUTH:
    cure = "mount a file with the lines that `manage_gateway.py create_api_key` prints"
    AUTH_API_KEYS_FILE = environment.required("AUTH_API_KEYS_FILE", cure)

MAX_ANSWER_BYTES = environment.integer("MAX_ANSWER_BYTES", 1 << 27, minimum=1 << 20, maximum=1 << 40)

RATE_LIMIT = environment.parsed("RATE_LIMIT", "none", rate.parse, rate.WRITTEN)
RATE_LIMIT_STORE = _limit_store(environment.text("RATE_LIMIT_STORE") or "local")
RATE_LIMIT_STORE_PASSWORD = environment.secret("RATE_LIMIT_STORE_PASSWORD")
"""For a URL without one."""
CORS_ALLOWED_ORIGINS = environment.parsed(
    "CORS_ALLOWED_ORIGINS", "", _origins, "origins like https://app.example.com, without path or wildcard"
)
STATUS_PAGE = environment.boolean("STATUS_PAGE", default=DEBUG)
"""Whether `/` shows browsers the status page instead of a page of links."""

_browsable = (("users", "/api/users"),) if DEBUG else ()
NAVIGATION = (("home", "/"), *_browsable, ("docs", "/api/docs"), ("problems", "/problems"))
FRONT_NAVIGATION = ()
OVERLOAD_PROBLEM = "upstream-unavailable"
LONGEST_MS = max(route.timeout_ms for route in ROUTES.routes)
GRACE_SECONDS = LONGEST_MS // 1000 + 5
"""Bound on the requests in flight after the drain: the longest request, and a margin."""
