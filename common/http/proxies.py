"""The client's address and URL, from X-Forwarded-* of trusted peers."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from common.http import forwarded
from common.http.forwarded import Origin
from common.http.response import Headers

Networks = tuple[IPv4Network | IPv6Network, ...]

MAX_ADDRESS = 64

_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d{1,5})?", re.ASCII)


class Proxies:
    """The proxies in front of a site.

    `networks`: of their addresses; None trusts every peer. `hops`: their number, if the addresses are unknown. `hosts`
    is ALLOWED_HOSTS. `public_url` overrides every field; with `behind_gateway`, the gateway's prefix may extend it.
    """

    def __init__(
        self,
        networks: Networks | None = (),
        *,
        hops: int = 0,
        hosts: Sequence[str] = ("*",),
        public_url: str = "",
        behind_gateway: bool = False,
    ) -> None:
        self._networks, self._hops, self._hosts = networks, hops, tuple(hosts)
        self._behind_gateway = behind_gateway
        parts = urlsplit(public_url)
        self._is_direct = not hops and networks == ()
        self._public = Origin(parts.scheme, parts.netloc, parts.path) if public_url else None

    def origin(self, fields: Headers, peer: str, scheme: str, host: bytes) -> Origin:
        if self._public is not None:
            return self._extended(self._public, fields, peer)
        own = _own(scheme, host[: forwarded.MAX_HOST])
        if self._is_direct or not self.trusts(peer):
            return own
        found = forwarded.read(fields, self._hosts)
        return Origin(found.scheme or own.scheme, found.host or own.host, found.prefix)

    def _extended(self, public: Origin, fields: Headers, peer: str) -> Origin:
        if not self._behind_gateway or not self.trusts(peer):
            return public
        prefix = forwarded.read(fields, ("*",)).prefix
        return public._replace(prefix=prefix) if prefix.startswith(public.prefix) else public

    def trusts(self, peer: str) -> bool:
        return self._hops > 0 or self._networks is None or is_in(peer, self._networks)

    def client(self, fields: Headers, peer: str) -> str:
        """The client's address: the last in X-Forwarded-For that is not a trusted proxy, or the one `hops` before us."""
        if self._is_direct or self._networks is None or not self.trusts(peer):
            return peer
        chain = b",".join(value for name, value in fields if name == b"x-forwarded-for").decode("latin-1")
        addresses = [address for hop in chain.split(",") if (address := address_of(hop.strip()))]
        if self._hops:
            return addresses[-self._hops] if len(addresses) >= self._hops else peer
        return next((hop for hop in reversed(addresses) if not is_in(hop, self._networks)), peer)

    def chain(self, fields: Headers, peer: str) -> bytes:
        """X-Forwarded-For for the next hop. The part before the first trusted proxy may be forged by the client."""
        own = peer.encode("latin-1")
        if self._is_direct or not self.trusts(peer):
            return own
        return b", ".join([*(value for name, value in fields if name == b"x-forwarded-for"), own])


@lru_cache(maxsize=256)
def _own(scheme: str, host: bytes) -> Origin:
    return Origin(scheme, host.decode("latin-1"), "")


def is_in(address: str, networks: Networks) -> bool:
    """Whether the text is an address of one of the networks."""
    return len(address) <= MAX_ADDRESS and _is_in(address, networks)


@lru_cache(maxsize=4096)
def _is_in(address: str, networks: Networks) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    # A socket for both families (HOST=::) shows IPv4 peers as ::ffff:10.0.0.1.
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return any((mapped or parsed) in network for network in networks)


def address_of(hop: str) -> str:
    """An element of X-Forwarded-For without the port that some proxies add (`192.0.2.1:4711`, `[2001:db8::1]:4711`).

    With the port, each connection would count as another client. Returns other text unchanged.
    """
    found = _WITH_PORT.fullmatch(hop) if len(hop) <= MAX_ADDRESS else None
    return found[1] or found[2] if found else hop
