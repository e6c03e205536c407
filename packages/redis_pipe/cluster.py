"""Which node of a Redis Cluster owns the slot that holds the users, as the nodes say now.

All keys carry the hash tag {users:0}, so they are in one slot, and one node at a time takes all commands. It may change
by a failover or because the slot is moved to another node; both raise the cluster's epoch, by which the newest of
several views is known.
"""

from typing import Any, NamedTuple, cast

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import AuthenticationError, BusyLoadingError, ClusterDownError, InvalidResponse, ResponseError

from packages.redis_pipe.discovery import Discovery, Node, Primary
from users_site.repository import keys

SLOT = key_slot(keys.index(0).encode())
TELLING = (ResponseError, AuthenticationError, BusyLoadingError)
"""What a node said itself; the rest only says that it did not answer."""

ASK_OWNER = ("ZCARD", keys.index(0))
"""Answered by the node that serves the slot; any other names it (MOVED), or says that nobody does (CLUSTERDOWN)."""


class View(NamedTuple):
    """What one node holds to be true."""

    epoch: int
    owner: Primary


class Cluster(Discovery):
    """The nodes that the URL names; any of them knows all others."""

    def __init__(self, nodes: tuple[Node, ...], login: dict[str, Any], timeout: float) -> None:
        super().__init__([Redis(host=host, port=port, **login) for host, port in nodes], timeout)
        for client in self._clients:
            client.set_response_callback("CLUSTER SLOTS", cast(Any, _as_sent))  # redis-py's own drops the nodes' ids

    async def primary(self) -> Primary:
        """The slot's owner in the newest view. Raises RedisError: what a node said, before what none did."""
        answers = await self._answers()
        views = [answer for answer in answers if isinstance(answer, View)]
        if views:
            return max(views, key=lambda view: view.epoch).owner
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        raise next((error for error in errors if isinstance(error, TELLING)), errors[0])

    async def _question(self, client: Redis) -> View:
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command("CLUSTER INFO")
        pipeline.execute_command("CLUSTER SLOTS")
        try:
            info, ranges = await pipeline.execute()
            if info["cluster_state"] != "ok":
                raise _down("this node is cut off from the others, or a slot has no owner")
            asked = client.get_connection_kwargs()["host"]  # type: ignore[no-untyped-call]
            return View(int(info["cluster_current_epoch"]), _owner(ranges, asked))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InvalidResponse("not what a node of a cluster answers") from error


def _owner(ranges: list[Any], asked: str) -> Primary:
    """From the reply to CLUSTER SLOTS: first and last slot, then owner and replicas: host, port, id, metadata."""
    for first, last, (host, port, node_id, *metadata), *_ in ranges:
        if first <= SLOT <= last:
            return Primary(node_id.decode(), (_host(host, metadata, asked), int(port)))
    raise _down("the slot has no owner")


def _down(why: str) -> ClusterDownError:
    return ClusterDownError(why, status_code="CLUSTERDOWN")


def _as_sent(reply: Any, **options: Any) -> Any:
    return reply


def _host(endpoint: bytes | None, metadata: list[list[bytes]], asked: str) -> str:
    """The host to connect to: nothing means the one that was asked, `?` a node that was to have a name and has none."""
    if endpoint == b"?":
        pairs = dict(zip(metadata[0][::2], metadata[0][1::2], strict=True)) if metadata else {}
        endpoint = pairs.get(b"ip")
    return endpoint.decode() if endpoint else asked
