"""Which header fields cross the gateway, and what it says of the client. Pure: lists of (lower-case name, value) bytes."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from common.http.proxies import Networks, address_of, is_trusted
from common.http.response import Headers

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9110 §7.6.1, and what older peers still send."""

IDENTITY = b"x-authenticated-"
"""The prefix of what says who is calling (guard/principal.py). Nobody but us says that, whatever the name's ending."""

SET_BY_US = frozenset(
    (
        b"host",
        b"content-length",
        b"expect",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
        b"x-request-timeout-ms",
    )
)
"""Of a request: framing is the next connection's, `Expect` is answered here, and nobody but us says who the client is."""

CREDENTIALS = frozenset((b"authorization", b"x-api-key"))
"""Where guards are on they end here: the user service has no use for a secret."""

NOT_FORWARDED = HOP_BY_HOP | SET_BY_US


class Dropped(dict[bytes, bool]):
    """Whether a field with this name is dropped: those given, and all with the prefix IDENTITY. A look-up costs as much as one
    in a set; names that it has not met are kept, up to a bound, for clients choose them."""

    def __init__(self, names: frozenset[bytes]) -> None:
        super().__init__(dict.fromkeys(names, True))

    def __missing__(self, name: bytes) -> bool:
        is_dropped = name.startswith(IDENTITY)
        if len(self) < 1024 and len(name) <= 64:
            self[name] = is_dropped
        return is_dropped


FROM_CLIENT = Dropped(NOT_FORWARDED)
FROM_CLIENT_WITHOUT_CREDENTIALS = Dropped(NOT_FORWARDED | CREDENTIALS)
FROM_UPSTREAM = Dropped(HOP_BY_HOP | {b"x-request-id"})
"""The ID on the answer is the one in our log: the user service has it from us, and whoever stands between may not."""


def end_to_end(headers: Headers, dropped: Dropped = FROM_UPSTREAM) -> Headers:
    """The fields that cross: none of `dropped`, none that `Connection` names (RFC 9110 §7.6.1). Order and repeats stay."""
    named = [value for name, value in headers if name == b"connection"]
    if named:
        listed = {token.strip().lower() for value in named for token in value.split(b",")}
        headers = [field for field in headers if field[0] not in listed]
    return [field for field in headers if not dropped[field[0]]]


def forwarded(given: Headers, peer: str, scheme: str, prefix: bytes, trusted: Networks) -> Headers:
    """X-Forwarded-* as the next hop is to see them. What the client sent of them counts only from a trusted peer."""
    believed = dict(given) if trusted and is_trusted(peer, trusted) else {}
    host = next((value for name, value in given if name == b"host"), b"")
    if not believed:
        return _own(peer, host, scheme, prefix)
    own = peer.encode("latin-1")
    chain = [value for name, value in given if name == b"x-forwarded-for"]
    host = believed.get(b"x-forwarded-host") or host
    return [
        (b"x-forwarded-for", b", ".join([*chain, own])),
        (b"x-forwarded-host", host),
        (b"x-forwarded-proto", believed.get(b"x-forwarded-proto") or scheme.encode("latin-1")),
        (b"x-forwarded-prefix", believed.get(b"x-forwarded-prefix", b"") + prefix),
    ]


@lru_cache(maxsize=1024)
def _own(peer: str, host: bytes, scheme: str, prefix: bytes) -> Headers:
    # The same for every request of a client: made once. The caller copies it by adding it to a list.
    return [
        (b"x-forwarded-for", peer.encode("latin-1")),
        (b"x-forwarded-host", host),
        (b"x-forwarded-proto", scheme.encode("latin-1")),
        (b"x-forwarded-prefix", prefix),
    ]


def client_address(given: Headers, peer: str, trusted: Networks) -> str:
    """The address of the client: the last one in X-Forwarded-For that is no trusted proxy of ours."""
    if not trusted or not is_trusted(peer, trusted):
        return peer
    hops = b",".join(value for name, value in given if name == b"x-forwarded-for").decode("latin-1").split(",")
    return next(_untrusted(reversed(hops), trusted), peer)


def _untrusted(hops: Iterable[str], trusted: Networks) -> Iterator[str]:
    for hop in hops:
        address = address_of(hop.strip())
        if address and not is_trusted(address, trusted):
            yield address
