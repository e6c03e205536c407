"""The upstream's URL, Host header and TLS context; resolves its name and opens connections."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from ._errors import ConnectFailed, ConnectTimeout, Untrusted

Network = IPv4Network | IPv6Network
MakeContext = Callable[[], ssl.SSLContext]

_P = TypeVar("_P", bound=asyncio.Protocol)
_PORTS = {"http": 80, "https": 443}
MAX_ADDRESSES = 64


class Address(NamedTuple):
    """An IP address. An address that is not preferred is used only if no other is up."""

    host: str
    is_preferred: bool = True


class Origin:
    """Scheme, host and port of `http[s]://host[:port]`. Raises ValueError for any other URL."""

    def __init__(
        self, url: str, tls: MakeContext | None = None, addresses: Collection[str] = (), zones: Collection[Network] = ()
    ) -> None:
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
        self._given, self._zones = [Address(address) for address in addresses], zones
        self._tls = (tls or _trusting_the_system()) if parts.scheme == "https" else None

    async def resolve(self, seconds: float) -> list[Address]:
        """The addresses; those in this process's zone and of the resolver's first family are preferred.

        Raises ConnectFailed, ConnectTimeout.
        """
        found = self._given or await self._looked_up(seconds)
        zone = self._zone(found[0].host)
        if zone is None:
            return found
        return [Address(host, is_preferred and ip_address(host) in zone) for host, is_preferred in found]

    def _zone(self, host: str) -> Network | None:
        """The zone of the address from which this process would connect to the host."""
        if not self._zones:
            return None
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, self.port))  # sends nothing
            except OSError:
                return None
            own = ip_address(probe.getsockname()[0])
        return next((zone for zone in self._zones if own in zone), None)

    async def _looked_up(self, seconds: float) -> list[Address]:
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

        Raises ConnectFailed, Untrusted, ConnectTimeout.
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
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(f"{self.netloc}: {error}") from error
        except OSError as error:
            raise ConnectFailed(f"{self.netloc}: {error}") from error


def _trusting_the_system() -> MakeContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return lambda: context
