"""`manage_gateway.py check --deploy`: what a deployer gets wrong.

gateway.W001 DEBUG            W004 stop takes too long      W010 AUTH=none                     W013 MAX_IN_FLIGHT
gateway.W002 SECRET_KEY       W005 no drain                 W011 upstream time-out too long    W014 everybody is a proxy
gateway.W003 ALLOWED_HOSTS                                  W012 connecting takes all of it   W015 no RATE_LIMIT
gateway.W017 STATUS_PAGE                                                                      W016 keys without TLS
"""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Tags, register

from common.config.deployment import Fault, shared_faults, warnings
from gateway_site import settings

CLIENT_TIMEOUT_MS = 60_000
"""What stands in front gives up after this, where nobody sets it (nginx's proxy_read_timeout, an AWS load balancer)."""


@register(Tags.security, deploy=True)
def settings_in_production(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Settings that should not meet production."""
    return warnings("gateway", shared_faults()) + warnings("gateway", _faults())


def _faults() -> Iterator[Fault]:
    # Imported here: plain `check` and the start need none of it.
    from gateway_site.forwarding.user_service import upstream

    if not settings.AUTH:
        yield 10, "AUTH is none: everybody may read and write every user", "set AUTH, unless another door checks"
    if settings.RATE_LIMIT is None:
        yield 15, "RATE_LIMIT is not set: one client may take all of the service", "set it, e.g. to 100/s;burst=200"
    if settings.STATUS_PAGE:
        yield (
            17,
            "STATUS_PAGE is on: everybody who can open / sees versions, traffic and failures",
            "leave it off, unless the door in front lets only you through to /; then silence gateway.W017",
        )
    if settings.AUTH_JWKS_URL[0].startswith("http://"):
        yield (
            16,
            "AUTH_JWKS_URL is not https: who can answer in the issuer's place can sign tokens",
            "use https, unless the issuer is in the same cluster and its network is policed",
        )
    if settings.UPSTREAM_TIMEOUT_MS >= CLIENT_TIMEOUT_MS:
        yield (
            11,
            f"UPSTREAM_TIMEOUT_MS is {settings.UPSTREAM_TIMEOUT_MS}: proxies in front give up after {CLIENT_TIMEOUT_MS}",
            "keep it below the time-out of whoever calls, so that the client gets our 504 and not theirs",
        )
    if settings.UPSTREAM_CONNECT_TIMEOUT_MS >= settings.UPSTREAM_TIMEOUT_MS:
        yield (
            12,
            "UPSTREAM_CONNECT_TIMEOUT_MS is not below UPSTREAM_TIMEOUT_MS: connecting alone may use up all the time",
            "leave it at 500: a user service that lives takes a connection within milliseconds",
        )
    room = upstream.capacity
    if room < settings.MAX_IN_FLIGHT:
        yield (
            13,
            f"MAX_IN_FLIGHT is {settings.MAX_IN_FLIGHT}, but the pool carries {room} requests",
            f"set MAX_IN_FLIGHT to {room} or less: what is above only waits to be refused",
        )
    if wide := [str(network) for network in settings.TRUSTED_PROXIES if network.prefixlen == 0]:
        yield (
            14,
            f"TRUSTED_PROXIES holds {', '.join(wide)}: every client may say who it is",
            "list the addresses of your proxies only",
        )
