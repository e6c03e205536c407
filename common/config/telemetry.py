"""Whether this process traces, from the standard OpenTelemetry variables. Unsupported values prevent the start."""

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
    is_off = found["OTEL_SDK_DISABLED"] == "true" or found["OTEL_TRACES_EXPORTER"] == "none"
    return not is_off and any(environment.text(name) for name in ENDPOINTS)
