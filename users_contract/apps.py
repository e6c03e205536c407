from django.apps import AppConfig


class UsersContractConfig(AppConfig):
    name = "users_contract"

    def ready(self) -> None:
        from common.http.problem import register
        from users_contract.problems import KINDS

        register(KINDS)
