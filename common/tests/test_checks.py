"""A synchronous view would cost each request a thread hop: it refuses start, and `check` finds it."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path

from common.config.checks import application_can_be_built
from common.http.application import Application
from tests.in_process import call


async def good_view(request: HttpRequest, **kwargs: str) -> HttpResponse:
    return HttpResponse(str(kwargs))


def sync_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_this_site_can_be_built() -> None:
    assert application_can_be_built() == []


def test_a_setting_that_only_wiring_finds_is_an_error_of_check(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "MIDDLEWARE", ["django.middleware.common.CommonMiddleware"])
    (error,) = application_can_be_built()
    assert error.id == "common.E001"
    assert "MIDDLEWARE" in error.msg


@pytest.mark.parametrize(
    "bad", [path("bad/<str:id>", sync_view), re_path("^bad", sync_view), path("bad/", include([path("x", sync_view)]))]
)
def test_a_sync_view_refuses_start_and_names_its_route(bad: Any) -> None:
    patterns: Any = [path("good", good_view), bad]
    with pytest.raises(ImproperlyConfigured, match=r"bad.*synchronous.*async def"):
        Application(patterns, probes={})


async def test_django_resolves_what_the_dictionaries_do_not_hold() -> None:
    patterns: Any = [
        re_path("^old/(?P<year>[0-9]{4})$", good_view),
        path("a/", include([path("<int:n>/b", good_view)])),
    ]
    application = Application(patterns, probes={})
    for target, kwargs in (("/old/1999", b"{'year': '1999'}"), ("/a/7/b", b"{'n': 7}")):
        answer = await call(application, target)
        assert (answer.status, answer.body) == (200, kwargs)
    assert (await call(application, "/old/19")).status == 404
