"""A site built in this process takes the settings of the test."""

import pytest

from common.config.environment import SettingError
from tests.in_process import built, call, evaluated


@pytest.mark.parametrize("site", ["users_site", "gateway_site"])
async def test_a_site_is_built_with_the_settings_given(site: str) -> None:
    with built(site, APP_VERSION="9.8.7") as application:
        answer = await call(application, "/health")
    assert answer is not None
    assert answer.json()["version"] == "9.8.7"


async def test_two_sites_built_one_after_the_other_do_not_mix() -> None:
    for durability in ("memory", "fsync"):
        with built("users_site", DURABILITY=durability) as application:
            answer = await call(application, "/users/x")
            assert answer is not None
            assert answer.status == 404


def test_a_malformed_setting_raises() -> None:
    with pytest.raises(SettingError, match="DURABILITY"):
        evaluated("users_site", DURABILITY="eternal")
