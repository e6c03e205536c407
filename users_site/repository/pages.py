"""Pages of users, newest first: ids from the index, then their documents. All ids have score 0, so the index is in the
order of ids, which is that of creation."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from packages.redis_pipe import Pipe
from users_site.repository import keys
from users_site.repository.broken import are_whole, is_whole, report_broken, report_missing

_INDEX, _RECORD = keys.index(0).encode(), keys.record(0).encode()

REFILLS = 4
"""How often a page reads further users to replace those without a valid record, before it stays short."""


class Side(StrEnum):
    """The direction of a page from its cursor."""

    OLDER = "older"
    NEWER = "newer"

    @property
    def opposite(self) -> "Side":
        return Side.NEWER if self is Side.OLDER else Side.OLDER


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page starts: beyond an id, or at it (`inclusive`)."""

    side: Side
    user_id: str
    inclusive: bool = False

    @property
    def bound(self) -> str:
        return ("[" if self.inclusive else "(") + self.user_id

    @property
    def opposite_bound(self) -> str:
        return ("(" if self.inclusive else "[") + self.user_id


@dataclass(frozen=True, slots=True)
class Page:
    """Documents joined by commas, newest first; `count` of all users, None if not requested; the starts of the neighbouring
    pages,
    if they exist."""

    count: int | None
    documents: bytes
    older: Position | None = None
    newer: Position | None = None


async def read(pipe: Pipe, limit: int, start: Position | None, *, count: bool) -> Page:
    """At most `limit` users from `start` on. Raises PipeError."""
    side = start.side if start else Side.OLDER
    # One more than the page shows whether another page follows.
    questions: list[Awaitable[Any]] = [_range(pipe, start.bound if start else "+", side, limit + 1)]
    if start is not None:
        questions.append(_range(pipe, start.opposite_bound, side.opposite, 1))
    if count:
        questions.append(pipe.execute("count", b"ZCARD", _INDEX))
    ids, *others = await _all(questions)
    total = others.pop() if count else None
    has_behind = bool(others and others[0])
    if not ids:
        # Beyond the end: the way back includes the user at whose id this page would have started.
        back = Position(side.opposite, start.user_id, inclusive=True) if start is not None and has_behind else None
        return _page(total, b"", side, None, back)
    documents, last, has_ahead = await _documents(pipe, ids, limit, side)
    ahead = Position(side, last.decode()) if has_ahead else None
    back = Position(side.opposite, ids[0].decode()) if has_behind else None
    return _page(total, b",".join(documents if side is Side.OLDER else reversed(documents)), side, ahead, back)


def _page(total: int | None, documents: bytes, side: Side, ahead: Position | None, back: Position | None) -> Page:
    older, newer = (ahead, back) if side is Side.OLDER else (back, ahead)
    return Page(total, documents, older, newer)


async def _all(questions: list[Awaitable[Any]]) -> list[Any]:
    """The replies to commands issued together; a third of what asyncio.gather() costs."""
    futures = [asyncio.ensure_future(question) for question in questions]
    try:
        return [await future for future in futures]
    finally:
        for future in futures:
            if not future.cancel() and not future.cancelled():
                future.exception()  # retrieved, or asyncio would log it


def _range(pipe: Pipe, bound: str | bytes, side: Side, limit: int) -> Awaitable[list[bytes]]:
    if side is Side.OLDER:
        return pipe.execute("ids", b"ZRANGE", _INDEX, bound, b"-", b"BYLEX", b"REV", b"LIMIT", b"0", limit)
    return pipe.execute("ids", b"ZRANGE", _INDEX, bound, b"+", b"BYLEX", b"LIMIT", b"0", limit)


async def _documents(pipe: Pipe, ids: list[bytes], limit: int, side: Side) -> tuple[list[bytes], bytes, bool]:
    """Up to `limit` documents, the last id that was read, and whether more ids follow."""
    documents: list[bytes] = []
    missing: list[bytes] = []
    for _ in range(REFILLS + 1):
        batch = ids[: limit - len(documents)]
        found = await pipe.execute("documents", b"MGET", *[_RECORD + user_id for user_id in batch])
        if are_whole(found, batch):
            documents += found
        else:
            documents += _whole(found, batch, missing)
        has_ahead = len(ids) > len(batch)
        if len(documents) == limit or not has_ahead:
            break
        ids = await _range(pipe, b"(" + batch[-1], side, limit - len(documents) + 1)
    if missing:
        await _report_stale(pipe, missing)
    return documents, batch[-1], has_ahead


def _whole(found: list[bytes | None], ids: list[bytes], missing: list[bytes]) -> list[bytes]:
    """Those that are whole; the others are reported, or missing."""
    documents = []
    for user_id, document in zip(ids, found, strict=True):
        if document is None:
            missing.append(user_id)
        elif is_whole(document, user_id):
            documents.append(document)
        else:
            report_broken(user_id.decode(errors="backslashreplace"))
    return documents


async def _report_stale(pipe: Pipe, missing: list[bytes]) -> None:
    """A user deleted between the two reads has left the index too; an id that is still there has lost its record."""
    scores = await pipe.execute("scores", b"ZMSCORE", _INDEX, *missing)
    for user_id, score in zip(missing, scores, strict=True):
        if score is not None:
            report_missing(user_id.decode(errors="backslashreplace"))
