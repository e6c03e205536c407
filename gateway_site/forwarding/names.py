"""Looks up the names of upstreams when a table is activated: a wrong name is a log line then, not only a 502 later."""

import asyncio
import logging
from collections.abc import Iterable

from gateway_site.routes.table import Upstream
from gateway_site.routes.values import is_loopback

SECONDS = 5.0

logger = logging.getLogger(__name__)


async def look_up(upstreams: Iterable[Upstream]) -> None:
    """Logs a warning for names that do not resolve, and for names that resolve to loopback."""
    for upstream in upstreams:
        host, _ = upstream.address
        if upstream.addresses or is_loopback(host):
            continue
        try:
            async with asyncio.timeout(SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(host, None)
        except (OSError, TimeoutError) as error:
            fault = f"{host} does not resolve ({error or 'no answer'}): requests are 502 until it does"
        else:
            if not any(is_loopback(str(address[0])) for *_, address in found):
                continue
            fault = f"{host} resolves to this machine: requests stay in the gateway's own container"
        logger.warning("an upstream cannot be right", extra={"fields": {"upstream": upstream.name, "reason": fault}})
