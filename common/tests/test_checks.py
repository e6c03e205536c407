"""A view or middleware that would hop threads refuses start."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from pytest_django import Settings

from common.config.checks import thread_hops
from common.http.application import Application


async def good_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def sync_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class NativeMiddleware:
    """Async, and nothing else."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> None:
        self.get_response = get_response

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        return await self.get_response(request)


class SyncMiddleware:
    """As Django's tutorial has it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response


class OldMiddleware(MiddlewareMixin):
    """Says that it is async capable, and runs its hooks in a thread."""

    def process_request(self, request: HttpRequest) -> None:
        """Does nothing."""


GOOD = (path("good", good_view),)
BAD = (*GOOD, path("bad/<str:id>", sync_view))


def test_this_site_is_clean() -> None:
    assert thread_hops() == []


def test_async_views_and_native_middleware_are_clean(settings: Settings) -> None:
    settings.ROOT_URLCONF = GOOD
    settings.MIDDLEWARE = [f"{__name__}.NativeMiddleware"]
    assert thread_hops() == []


def test_a_sync_view_is_an_error_that_names_its_route(settings: Settings) -> None:
    settings.ROOT_URLCONF = BAD
    (error,) = thread_hops()
    assert error.id == "common.E001"
    assert "bad/<str:id>" in error.msg
    assert error.hint
    with pytest.raises(ImproperlyConfigured, match=r"bad/<str:id>"):
        Application()


@pytest.mark.parametrize(
    "middleware",
    [f"{__name__}.SyncMiddleware", f"{__name__}.OldMiddleware", "django.middleware.common.CommonMiddleware"],
)
def test_middleware_that_hops_is_an_error_that_names_it(settings: Settings, middleware: str) -> None:
    settings.ROOT_URLCONF = GOOD
    settings.MIDDLEWARE = [middleware]
    (error,) = thread_hops()
    assert (error.id, middleware in error.msg) == ("common.E002", True)
    with pytest.raises(ImproperlyConfigured, match=middleware.rpartition(".")[2]):
        Application()


async def test_native_middleware_is_called(settings: Settings) -> None:
    from tools.testing.application import call

    settings.ROOT_URLCONF = "tools.testing.application"
    settings.MIDDLEWARE = [f"{__name__}.NativeMiddleware"]
    answer: Any = await call("/things/one")
    assert (answer.status, answer.body) == (200, b"one")
