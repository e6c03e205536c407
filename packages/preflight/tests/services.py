"""Two services to check manifests against: ours, as far as the rules look at them."""

from packages.preflight import Environment, Service, Started

PATHS = {"/health": "", "/health/live": "live", "/health/ready": "ready", "/metrics": "metrics"}
COMMON = "ALLOWED_HOSTS DEBUG DRAIN_SECONDS LOG_LEVEL MAX_BODY_BYTES MAX_IN_FLIGHT PORT SECRET_KEY"
GATEWAY_SETTINGS = """AUTH AUTH_API_KEYS_FILE AUTH_AUDIENCE AUTH_ISSUER AUTH_JWKS_URL CORS_ALLOWED_ORIGINS MAX_ANSWER_BYTES
RATE_LIMIT RATE_LIMIT_STORE TRUSTED_PROXIES UPSTREAM_CONNECT_TIMEOUT_MS UPSTREAM_TIMEOUT_MS USER_SERVICE_URL"""
USERS_SETTINGS = "REDIS_CONNECT_TIMEOUT_MS REDIS_HOST REDIS_PASSWORD REDIS_PORT REDIS_TIMEOUT_MS REDIS_URL"
SERIES = {
    "http_requests_total": frozenset({"method", "route", "status_code"}),
    "http_request_duration_seconds_bucket": frozenset({"method", "route", "status_code"}),
    "users_total_up": frozenset[str](),
}


def _start(required: str, environment: Environment) -> Started:
    def given(name: str) -> bool:
        return environment.get(name, "") != "" or environment.get(f"{name}_FILE", "") != ""

    error = next((f"{name} is not set: give it" for name in ("SECRET_KEY", required) if not given(name)), None)
    hosts = tuple((environment.get("ALLOWED_HOSTS") or "").split(","))
    return Started(error, float(environment.get("DRAIN_SECONDS") or 5), 10.0, hosts)


SERVICES = (
    Service(
        "api-gateway", 3000, frozenset(f"{COMMON} {GATEWAY_SETTINGS}".split()),
        lambda each, _: _start("USER_SERVICE_URL", each),
        ("OTEL_",), PATHS, SERIES, timeout=("UPSTREAM_TIMEOUT_MS", 5000), is_door=True,
    ),
    Service(
        "user-service", 3001, frozenset(f"{COMMON} {USERS_SETTINGS}".split()), lambda each, _: _start("REDIS_HOST", each),
        ("OTEL_",), PATHS, SERIES, timeout=("REDIS_TIMEOUT_MS", 1000), keeps_data=True,
    ),
)  # fmt: skip
