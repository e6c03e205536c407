"""The settings that requests need, read once when the application is built."""

from dataclasses import dataclass
from typing import Any, Self

from common.http.proxies import Proxies


@dataclass(frozen=True, slots=True)
class Site:
    """`urlconf`: the patterns that Django resolves against. `navigation`: the header of pages, names to paths; `front`: the
    same of the service in front, whose prefix this site's paths then carry."""

    service: str
    version: str
    debug: bool
    allowed_hosts: tuple[str, ...]
    max_body_bytes: int
    max_in_flight: int
    overload_code: str
    proxies: Proxies
    traces: bool
    urlconf: tuple[Any, ...] = ()
    navigation: tuple[tuple[str, str], ...] = ()
    front: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_settings(cls, settings: Any, urlconf: tuple[Any, ...]) -> Self:
        """The site that Django's settings describe."""
        hosts = tuple(settings.ALLOWED_HOSTS)
        proxies = Proxies(
            settings.TRUSTED_PROXIES,
            hops=settings.TRUSTED_HOPS,
            hosts=hosts,
            public_url=settings.PUBLIC_URL,
            behind_gateway=settings.BEHIND_GATEWAY,
        )
        return cls(
            service=settings.SERVICE,
            version=settings.APP_VERSION,
            debug=settings.DEBUG,
            allowed_hosts=hosts,
            max_body_bytes=settings.MAX_BODY_BYTES,
            max_in_flight=settings.MAX_IN_FLIGHT,
            overload_code=settings.OVERLOAD_PROBLEM,
            proxies=proxies,
            traces=settings.TRACES,
            urlconf=urlconf,
            navigation=settings.NAVIGATION,
            front=settings.FRONT_NAVIGATION,
        )
