"""What both services share: the ASGI handler, settings, problems, health, logs, metrics. Knows neither site."""

__version__ = "0.1.0"
