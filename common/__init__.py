"""Code of both services: ASGI application, server, settings, problems, health, logs, metrics. It imports neither
site."""

__version__ = "0.1.0"
