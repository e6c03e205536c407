"""The users' contract as a Django app."""

from django.apps import AppConfig


class UsersContractConfig(AppConfig):
    """Registers the problems of users."""

    name = "users_contract"

    def ready(self) -> None:
        """Called once by django.setup()."""
        from common.http.problem import register
        from users_contract.problems import KINDS

        register(KINDS)
