"""A pipelining connection to one Redis: a server, a primary behind Sentinel, or one slot of a cluster. Independent of
Django."""

from ._address import TLS_OPTIONS, Address
from ._command import Observe, Script, Word, pack
from ._discovery import Primary, slot_of
from ._durability import Durability, DurableWrites
from ._opening import Opener
from ._pipe import OnState, Pipe
from .errors import NotDurable, PipeError, Reason, Refused, Unavailable

__all__ = [
    "TLS_OPTIONS",
    "Address",
    "Durability",
    "DurableWrites",
    "NotDurable",
    "Observe",
    "OnState",
    "Opener",
    "Pipe",
    "PipeError",
    "Primary",
    "Reason",
    "Refused",
    "Script",
    "Unavailable",
    "Word",
    "pack",
    "slot_of",
]
