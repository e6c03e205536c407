"""`manage_gateway.py check --deploy`: common mistakes of a deployment.

gateway.W001 DEBUG            W004 stop takes too long      W010 AUTH=none                     W013 MAX_IN_FLIGHT
gateway.W002 SECRET_KEY       W005 no drain                 W011 upstream time-out too long    W014 every peer is a proxy
gateway.W003 ALLOWED_HOSTS                                  W012 connecting takes all of it   W015 no RATE_LIMIT
gateway.W017 STATUS_PAGE                                    W018 loopback upstream            W016 keys without TLS
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django import conf
from django.core.checks import CheckMessage, Tags, register

from common.config.deployment import Fault, shared_faults, warnings
from gateway_site.routes.values import is_loopback

settings: Any = conf.settings  # mypy's plugin reads only the user service's settings

CLIENT_TIMEOUT_MS = 60_000
"""The default time-out of proxies in front (nginx's proxy_read_timeout, an AWS load balancer)."""


@register(Tags.security, deploy=True)
def settings_in_production(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    return warnings("gateway", chain(shared_faults(), _open_doors(), _bounds(), _loopback_upstreams()))


def _open_doors() -> Iterator[Fault]:
    if not settings.AUTH:
        yield 10, "AUTH is none: every caller may read and write every user", "set AUTH, unless a proxy in front checks"
    if settings.RATE_LIMIT is None:
        yield 15, "RATE_LIMIT is not set: one client can exhaust the service", "set it, e.g. to 100/s;burst=200"
    if settings.STATUS_PAGE:
        yield (
            17,
            "STATUS_PAGE is on: / shows versions, traffic and failures to every caller",
            "leave it off, unless a proxy in front blocks / for the public; then silence gateway.W017",
        )
    if settings.AUTH_JWKS_URL.startswith("http://"):
        yield (
            16,
            "AUTH_JWKS_URL is not https: an attacker in the network can replace the keys and sign tokens",
            "use https, unless the issuer is in the same cluster and its network is policed",
        )
    if wide := [str(network) for network in settings.TRUSTED_PROXIES if network.prefixlen == 0]:
        yield (
            14,
            f"TRUSTED_PROXIES contains {', '.join(wide)}: every client can forge its address",
            "list only the addresses of your proxies",
        )


def _bounds() -> Iterator[Fault]:
    from gateway_site.forwarding.service import CAPACITY  # plain `check` and the start do not need it

    for route in settings.ROUTES.routes:
        if route.timeout_ms >= CLIENT_TIMEOUT_MS:
            yield (
                11,
                f"the time-out of {route.prefix} is {route.timeout_ms} ms: proxies in front time out after {CLIENT_TIMEOUT_MS}",
                "keep UPSTREAM_TIMEOUT_MS, or the route's timeout_ms, below theirs: the client gets our 504, not theirs",
            )
        if any(settings.ROUTES.upstreams[name].connect_timeout_ms >= route.timeout_ms for name in route.upstreams):
            yield (
                12,
                f"connecting alone may use up all the time of {route.prefix}, which is {route.timeout_ms} ms",
                "leave UPSTREAM_CONNECT_TIMEOUT_MS at 500: a live service accepts a connection within milliseconds",
            )
    if settings.MAX_IN_FLIGHT > CAPACITY:
        yield (
            13,
            f"MAX_IN_FLIGHT is {settings.MAX_IN_FLIGHT}, but the pool accepts {CAPACITY} requests",
            f"set MAX_IN_FLIGHT to {CAPACITY} or less: requests above it only wait to be refused",
        )


def _loopback_upstreams() -> Iterator[Fault]:
    for upstream in settings.ROUTES.upstreams.values():
        if is_loopback(upstream.address[0]):
            yield (
                18,
                f"the upstream {upstream.name} is {upstream.url}: in a container that is the gateway's own",
                "use the service's name; if it runs beside the gateway, silence gateway.W018",
            )
