"""The upstream's URL, Host header and TLS context; opens connections to it."""

import asyncio
import random
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from ._errors import ConnectFailed, ConnectTimeout

_P = TypeVar("_P", bound=asyncio.Protocol)
_PORTS = {"http": 80, "https": 443}


class Origin:
    """Scheme, host and port of `http[s]://host[:port]`. Raises ValueError for any other URL."""

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"not an http:// or https:// URL with a host: {url!r}")
        if parts.netloc.split() != [parts.netloc]:
            raise ValueError(f"white space in the upstream's URL: {url!r}")
        if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("the upstream's URL is scheme, host and port: no user, path or query")
        self.host = parts.hostname
        self.port = parts.port or _PORTS[parts.scheme]
        self.netloc = parts.netloc
        self.host_line = b"Host: " + parts.netloc.encode("ascii")
        self._ssl = _tls(ca_file) if parts.scheme == "https" else None

    async def connect(self, factory: Callable[[], _P], seconds: float) -> _P:
        """A new connection within `seconds`, TLS handshake included.

        Raises ConnectFailed, ConnectTimeout.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._dial(factory, seconds)
        except TimeoutError as error:
            raise ConnectTimeout(f"{self.netloc}: no connection within {seconds:.3g} s") from error
        except (OSError, UnicodeError) as error:
            raise ConnectFailed(f"{self.netloc}: {error}") from error

    async def _dial(self, factory: Callable[[], _P], seconds: float) -> _P:
        """Resolve the name, then try each address with an equal share of the time that is left.

        uvloop has no happy eyeballs and tries addresses in sequence: without shares an address that drops packets
        would use up the whole time-out. Within a family the order is random: glibc sorts the addresses of a
        headless Service, and every gateway would connect to the same pod.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        infos = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        preferred = infos[0][0] if infos else None
        infos.sort(key=lambda info: (info[0] != preferred, random.random()))  # noqa: S311
        failure: Exception = OSError("the name has no address")
        for tried, (family, _, _, _, address) in enumerate(infos):
            try:
                async with asyncio.timeout((until - loop.time()) / (len(infos) - tried)):
                    _, protocol = await loop.create_connection(
                        factory,
                        str(address[0]),
                        self.port,
                        family=family,
                        ssl=self._ssl,
                        server_hostname=self.host if self._ssl else None,
                    )
                    return protocol
            except OSError as error:
                failure = error
        raise failure


def _tls(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
