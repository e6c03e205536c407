"""The texts and reasons of the repository's errors."""

import pytest

from packages import redis_pipe
from packages.redis_pipe import Reason
from users_site.repository.errors import StoreError, StoreUnavailable, WrongLayout, from_pipe


@pytest.mark.parametrize("uncertain", [False, True])
def test_unavailable_has_the_text_of_the_pipe(uncertain: bool) -> None:
    error = StoreUnavailable(Reason.TIMEOUT, uncertain=uncertain)
    assert str(error) == str(redis_pipe.Unavailable(Reason.TIMEOUT, uncertain=uncertain))
    assert not StoreUnavailable(Reason.TIMEOUT).uncertain


def test_another_layout_names_both_numbers() -> None:
    error = WrongLayout("16", "64")
    assert (error.reason, error.uncertain) == (Reason.EPOCH, False)
    assert str(error) == "PARTITIONS is 16, but the store was made with 64: set PARTITIONS=64"


def test_a_refused_command_is_named_without_its_arguments() -> None:
    error = from_pipe(redis_pipe.Refused("get", "WRONGTYPE"))
    assert isinstance(error, StoreError)
    assert (str(error), error.operation, error.code) == ("Redis refused 'get' with WRONGTYPE", "get", "WRONGTYPE")
