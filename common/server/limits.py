"""What the server allows a client."""

LINE_BYTES = FIELD_BYTES = 8190
FIELDS = 100
HEAD_BYTES = 65_536
HELD_BYTES = 32 * 1024 * 1024
"""Of incomplete heads and unread bodies, all connections together."""
BODY_BYTES_UNREAD = 65_536
"""Of one connection, which is not read from while the application has so much to read."""
CONNECTIONS = 8192
PIPELINED = 100

HEAD_SECONDS = 10.0
BODY_SECONDS, BODY_RATE = 10.0, 1000
"""A body may take BODY_SECONDS, and a second more per BODY_RATE bytes."""
STALLED_SECONDS = 10.0
"""How long a client may leave an answer unread."""
LINGER_SECONDS = 2.0
"""How long input is discarded before a close: a reset would destroy the answer (RFC 9112 §9.6)."""
