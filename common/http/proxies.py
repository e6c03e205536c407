"""Whom to believe about a client."""

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = tuple[IPv4Network | IPv6Network, ...]

_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d{1,5})?", re.ASCII)


@lru_cache(maxsize=4096)
def is_trusted(address: str, trusted: Networks | None) -> bool:
    """Whether an address lies in one of the networks; what is no address does not. None trusts everybody."""
    if trusted is None:
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    # A socket for both families (HOST=::) shows IPv4 peers as ::ffff:10.0.0.1.
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return any((mapped or parsed) in network for network in trusted)


@lru_cache(maxsize=4096)
def address_of(hop: str) -> str:
    """The address in an element of X-Forwarded-For without the port that some proxies add (`192.0.2.1:4711`,
    `[2001:db8::1]:4711`), which would make each connection another client; what is neither, as it is."""
    found = _WITH_PORT.fullmatch(hop)
    return found[1] or found[2] if found else hop
