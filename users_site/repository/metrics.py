"""Durations of Redis commands."""

from common.observability.durations import histogram

LABELS = ("operation", "status")
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REDIS_DURATION = histogram("redis_operation_duration_seconds", "From call to reply", LABELS, BUCKETS)
