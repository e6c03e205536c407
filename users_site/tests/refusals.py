"""What validation says, for tests that try any input at all."""

from collections.abc import Callable
from typing import TypeVar, cast

from rest_framework.exceptions import ValidationError

Accepted = TypeVar("Accepted")


def accepted_or_refused(validate: Callable[[], Accepted]) -> tuple[Accepted | None, dict[str, object]]:
    """What was accepted and {}, or None and the codes of the faults by field; any other exception comes through."""
    try:
        return validate(), {}
    except ValidationError as error:
        codes = cast(dict[str, object], error.get_codes())
        if not codes:
            raise AssertionError("refused without a reason") from error
        return None, codes
