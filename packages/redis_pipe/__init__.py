"""Pipelining connections to Redis: to a server, to the primary behind Sentinel, to the primaries of a cluster. Independent
of Django."""

from ._address import TLS_OPTIONS, Address
from ._cluster import Place, connect
from ._command import Script, Word, Words, pack
from ._connection import Connection, Options
from ._durability import Durability, DurableWrites
from ._opening import Opener
from ._pipe import Pipe
from ._slots import slot_of
from .errors import NotDurable, PipeError, Reason, Refused, Unavailable

__all__ = [
    "TLS_OPTIONS",
    "Address",
    "Connection",
    "Durability",
    "DurableWrites",
    "NotDurable",
    "Opener",
    "Options",
    "Pipe",
    "PipeError",
    "Place",
    "Reason",
    "Refused",
    "Script",
    "Unavailable",
    "Word",
    "Words",
    "connect",
    "pack",
    "slot_of",
]
