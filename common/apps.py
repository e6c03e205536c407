"""The shared app."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """Registers the system checks."""

    name = "common"

    def ready(self) -> None:
        from common.config import checks  # noqa: F401
