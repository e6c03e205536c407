"""Follows the frames of a WebSocket (RFC 6455 §5.2) without reading their payload."""

from enum import IntEnum


class Close(IntEnum):
    """Status codes of RFC 6455 §7.4.1, and of IANA's registry."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    TOO_BIG = 1009
    BAD_GATEWAY = 1014


class Violation(Exception):
    """The frames break the protocol, or a message is too large."""

    def __init__(self, code: Close) -> None:
        super().__init__(code)
        self.code = code


class Frames:
    """The frames of one direction. It skips payloads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._head = bytearray()
        self._left = 0
        self._message = 0
        self.is_closed = False
        """Whether a Close frame has passed."""

    @property
    def is_between(self) -> bool:
        """Whether no frame is incomplete."""
        return not self._head and not self._left

    def feed(self, data: bytes) -> None:
        """Raises Violation."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            self._head.append(data[at])
            at += 1
            if len(self._head) > 1 and len(self._head) == self._head_size():
                self._begin()

    def _head_size(self) -> int:
        second = self._head[1]
        return 2 + {126: 2, 127: 8}.get(second & 127, 0) + (4 if second & 128 else 0)

    def _begin(self) -> None:
        head, opcode, length = self._head, self._head[0] & 15, self._head[1] & 127
        if opcode >= 8 and (length > 125 or not head[0] & 128):
            raise Violation(Close.PROTOCOL_ERROR)
        if length > 125:
            length = int.from_bytes(head[2 : 4 if length == 126 else 10])
        if opcode >= 8:
            self.is_closed = self.is_closed or opcode == 8
        else:
            self._message = length if opcode else self._message + length
            if self._message > self._most:
                raise Violation(Close.TOO_BIG)
        self._left = length
        head.clear()


def closing(code: Close, *, masked: bool = False) -> bytes:
    """A Close frame. That of a client must be masked: here with zeros, which change nothing."""
    return (b"\x88\x82\0\0\0\0" if masked else b"\x88\x02") + code.to_bytes(2)
