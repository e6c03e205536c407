"""The limits of the server for its clients."""

LINE_BYTES = FIELD_BYTES = 8190
FIELDS = 100
FIELDS_OF_GATEWAYS = 10
"""Further fields, with these prefixes: a request that the gateway accepts must not be too large for the service behind
it."""
GATEWAYS = (b"x-forwarded-", b"x-request-", b"x-authenticated-", b"trace")
HEAD_BYTES = 65_536
UNREAD_BODY_BYTES = 65_536
"""Per connection: beyond it the server stops reading until the application has read."""
HELD_BYTES = 16 * 1024 * 1024
"""Maximum of incomplete heads and unread bodies of all connections."""
CONNECTIONS = 8192
PIPELINED = 100

HEAD_SECONDS = 10.0
BODY_SECONDS, BODY_RATE = 10.0, 1000
"""A body may take BODY_SECONDS, and one second more per BODY_RATE bytes."""
STALLED_SECONDS = 10.0
"""How long a client may leave an answer unread."""
LINGER_SECONDS = 2.0
"""How long input is discarded before a close, because a reset could destroy the answer (RFC 9112 §9.6)."""
