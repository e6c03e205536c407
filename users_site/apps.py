from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "users_site"

    def ready(self) -> None:
        from users_site import checks  # noqa: F401
