"""Whom to believe about a client."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

Networks = tuple[IPv4Network | IPv6Network, ...]


@lru_cache(maxsize=4096)
def is_trusted(address: str, trusted: Networks | None) -> bool:
    """Whether an address lies in one of the networks; what is no address does not. None trusts everybody."""
    if trusted is None:
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
