"""Opens connections: look-up of the primary, TLS, AUTH, SELECT."""

import asyncio
import ssl

from ._address import Address, Node
from ._connection import Options
from ._discovery import Sentinels
from ._slots import SLOTS, Slots, slot_of
from ._stream import Stream
from .errors import ErrorReply, Reason, Unavailable


class Opener:
    def __init__(self, address: Address, options: Options) -> None:
        self.address, self.options = address, options
        # Half of the time, so that one silent node leaves the other half for the primary; the caller bounds the whole.
        self._timeout = options.connect_timeout / 2

    async def open(self) -> tuple[Stream, Node | None]:
        """Connect, authenticate and select; behind Sentinel, to the current primary, which is returned too.

        Raises Unavailable, ErrorReply, OSError: see `reason_of`.
        """
        primary = await self.primary() if self.address.service else None
        stream = await self._connect(primary)
        try:
            await self._set_up(stream)
            await self._require_primary(stream)
        except BaseException:
            stream.drop(Reason.CLOSED)
            raise
        return stream, primary

    async def primary(self, slot_key: str = "") -> Node:
        """The current primary; in a cluster, that of this key's slot. Raises as `open` does."""
        if not self.address.is_cluster:
            async with self._sentinels() as sentinels:
                return await sentinels.primary()
        owners, slot = await self.owners(), slot_of(slot_key)
        if slot not in owners:
            raise Unavailable(Reason.CLUSTERDOWN)
        return owners[slot]

    async def owners(self) -> dict[int, Node]:
        """The primaries of all slots that have one. Raises as `open` does."""
        async with self.slots() as slots:
            return await slots.owners(range(SLOTS))

    async def replaced(self, primary: Node) -> None:
        """Return when another server is the primary."""
        async with self._sentinels() as sentinels:
            await sentinels.replaced(primary)

    def slots(self) -> Slots:
        return Slots(self.address.nodes, self._connect, self._timeout)

    def _sentinels(self) -> Sentinels:
        return Sentinels(self.address.nodes, self._connect_sentinel, self._timeout, self.address.service)

    async def _connect(self, node: Node | None) -> Stream:
        current = self.options.password
        password = self.address.password or (current() if current is not None else None)
        return await self._log_in(node, self.address.username, password)

    async def _connect_sentinel(self, node: Node) -> Stream:
        return await self._log_in(node, None, self.address.options.get("sentinel_password"))

    async def _log_in(self, node: Node | None, username: str | None, password: str | None) -> Stream:
        loop = asyncio.get_running_loop()
        stream: Stream
        if self.address.scheme == "unix":
            _, stream = await loop.create_unix_connection(Stream, self.address.path)
        else:
            # Certificates are read for each connection: they may have been renewed.
            context = tls_context(self.address.options) if self.address.is_tls else None
            host, port = node or self.address.nodes[0]
            _, stream = await loop.create_connection(Stream, host, port, ssl=context)
        try:
            if username or password:
                await stream.ask("AUTH", *((username,) if username else ()), password or "")
        except BaseException:
            stream.drop(Reason.CLOSED)
            raise
        return stream

    async def _set_up(self, stream: Stream) -> None:
        try:
            await stream.ask("CLIENT", "SETNAME", self.options.client_name)
        except ErrorReply as error:
            if not str(error).startswith("NOPERM"):  # the name is optional: an ACL may forbid it
                raise
        if self.address.db:
            await stream.ask("SELECT", self.address.db)

    async def _require_primary(self, stream: Stream) -> None:
        """Raise for a server that a stale sentinel named."""
        if not self.address.service:
            return
        fields = await stream.ask("HELLO", 2)  # not ROLE: an ACL without @dangerous forbids it
        if dict(zip(fields[::2], fields[1::2], strict=True)).get(b"role") != b"master":
            raise Unavailable(Reason.NO_PRIMARY)


def tls_context(options: dict[str, str]) -> ssl.SSLContext:
    """The TLS context for the options of an address. Raises OSError."""
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if certificate := options.get("ssl_certfile"):
        context.load_cert_chain(certificate, options.get("ssl_keyfile"))
    if options.get("ssl_cert_reqs", "required") != "required":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_OPTIONAL if options["ssl_cert_reqs"] == "optional" else ssl.CERT_NONE
    return context
