"""The user service's app."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Registers the system checks."""

    name = "users_site"

    def ready(self) -> None:
        """Importing registers."""
        from users_site import checks  # noqa: F401
