"""The result of validation, for tests of arbitrary input."""

from collections.abc import Callable
from typing import TypeVar, cast

from rest_framework.exceptions import ValidationError

Accepted = TypeVar("Accepted")


def accepted_or_refused(validate: Callable[[], Accepted]) -> tuple[Accepted | None, dict[str, object]]:
    """The accepted value and {}, or None and the codes by field; other exceptions propagate."""
    try:
        return validate(), {}
    except ValidationError as error:
        codes = cast(dict[str, object], error.get_codes())
        if not codes:
            raise AssertionError("refused without a reason") from error
        return None, codes
