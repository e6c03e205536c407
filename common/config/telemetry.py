"""Whether this process traces, from the standard OpenTelemetry variables. Unsupported values prevent the start.

OpenTelemetry itself would ignore some of them, and fail with a traceback for others.
"""

import math
import os
from collections.abc import Callable
from urllib.parse import urlsplit

from common.config import environment

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

HTTP = ("http/protobuf",)
SUPPORTED = {
    "OTEL_SDK_DISABLED": ("false", "true"),
    "OTEL_EXPORTER_OTLP_PROTOCOL": HTTP,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": HTTP,
    "OTEL_TRACES_EXPORTER": ("otlp", "none"),
    "OTEL_PROPAGATORS": ("tracecontext", "tracecontext,baggage", "baggage,tracecontext"),
    "OTEL_TRACES_SAMPLER": (
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
        "always_on",
        "always_off",
        "traceidratio",
    ),
}
"""The first value of each is its default."""


def traces() -> bool:
    """True if an endpoint is set and nothing switches tracing off. Raises SettingError."""
    environment.mount("OTEL_")
    found = {name: environment.choice(name, values[0], values) for name, values in SUPPORTED.items()}
    _check()
    is_off = found["OTEL_SDK_DISABLED"] == "true" or found["OTEL_TRACES_EXPORTER"] == "none"
    return not is_off and any(environment.text(name) for name in ENDPOINTS)


def _check() -> None:
    for name in ENDPOINTS:
        environment.parsed(name, "", _endpoint, "an address like http://collector:4318")
    queue = environment.integer("OTEL_BSP_MAX_QUEUE_SIZE", 2048, minimum=1, maximum=1 << 20)
    environment.integer("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, minimum=1, maximum=queue)
    environment.parsed("OTEL_TRACES_SAMPLER_ARG", "1", _number(1), "a share from 0 to 1")
    for name in os.environ:
        if name.startswith("OTEL_") and name.endswith(("_LIMIT", "_DELAY")):
            environment.integer(name, 1, minimum=int(name.endswith("_DELAY")), maximum=1 << 31)
        if name.startswith("OTEL_") and name.endswith("_TIMEOUT"):
            environment.parsed(name, "1", _number(math.inf), "a number")


def _endpoint(url: str) -> str:
    if url and not (url.startswith(("http://", "https://")) and urlsplit(url).hostname):
        raise ValueError(url)
    return url


def _number(most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not 0 <= (value := float(text)) <= most:
            raise ValueError(text)
        return value

    return parse
