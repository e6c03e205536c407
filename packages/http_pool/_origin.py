"""The upstream's URL, Host header and TLS context; resolves its name and opens connections."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from ._errors import ConnectFailed, ConnectTimeout

MakeContext = Callable[[], ssl.SSLContext]

_P = TypeVar("_P", bound=asyncio.Protocol)
_PORTS = {"http": 80, "https": 443}
MAX_ADDRESSES = 64


class Address(NamedTuple):
    """An IP address. The other family than the resolver's first one is used only if no address of that one is up."""

    host: str
    is_preferred: bool = True


class Origin:
    """Scheme, host and port of `http[s]://host[:port]`. Raises ValueError for any other URL."""

    def __init__(self, url: str, tls: MakeContext | None = None, addresses: Collection[str] = ()) -> None:
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
        self._given = [Address(address) for address in addresses]
        self._tls = (tls or _trusting_the_system()) if parts.scheme == "https" else None

    async def resolve(self, seconds: float) -> list[Address]:
        """The addresses of the name, of the preferred family first. Raises ConnectFailed, ConnectTimeout."""
        if self._given:
            return self._given
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                infos = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise ConnectTimeout(f"{self.netloc}: the name was not resolved within {seconds:.3g} s") from error
        except (OSError, UnicodeError) as error:
            raise ConnectFailed(f"{self.netloc}: {error}") from error
        if not infos:
            raise ConnectFailed(f"{self.netloc}: the name has no address")
        found = dict.fromkeys((family, str(address[0])) for family, _, _, _, address in infos)
        return [Address(host, family == infos[0][0]) for family, host in found][:MAX_ADDRESSES]

    async def connect(self, factory: Callable[[], _P], address: str, seconds: float) -> _P:
        """A new connection within `seconds`, TLS handshake included.

        Raises ConnectFailed, ConnectTimeout.
        """
        loop = asyncio.get_running_loop()
        name = self.host if self._tls else None
        try:
            context = self._tls() if self._tls else None
            async with asyncio.timeout(seconds):
                _, protocol = await loop.create_connection(
                    factory, address, self.port, ssl=context, server_hostname=name
                )
                return protocol
        except TimeoutError as error:
            raise ConnectTimeout(f"{self.netloc}: no connection within {seconds:.3g} s") from error
        except OSError as error:
            raise ConnectFailed(f"{self.netloc}: {error}") from error


def _trusting_the_system() -> MakeContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return lambda: context
