"""The gateway's app."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """Registers the system checks."""

    name = "gateway_site"

    def ready(self) -> None:
        from gateway_site import checks  # noqa: F401
