"""The settings that requests need, read once when the application is built."""

from typing import Any

from common.http.proxies import Proxies


class Site:
    """`urlconf`: the patterns that Django resolves against. `navigation`: the links in the header of pages, by name;
    `front`: those of the service in front."""

    def __init__(self, settings: Any, urlconf: tuple[Any, ...] = ()) -> None:
        self.urlconf = urlconf
        self.service: str = settings.SERVICE
        self.version: str = settings.APP_VERSION
        self.debug: bool = settings.DEBUG
        self.traces: bool = settings.TRACES
        self.allowed_hosts = tuple(settings.ALLOWED_HOSTS)
        self.max_body_bytes: int = settings.MAX_BODY_BYTES
        self.max_in_flight: int = settings.MAX_IN_FLIGHT
        self.overload_code: str = settings.OVERLOAD_PROBLEM
        self.navigation: tuple[tuple[str, str], ...] = settings.NAVIGATION
        self.front: tuple[tuple[str, str], ...] = settings.FRONT_NAVIGATION
        self.proxies = Proxies(
            settings.TRUSTED_PROXIES,
            hops=settings.TRUSTED_HOPS,
            hosts=self.allowed_hosts,
            public_url=settings.PUBLIC_URL,
            behind_gateway=settings.BEHIND_GATEWAY,
        )
