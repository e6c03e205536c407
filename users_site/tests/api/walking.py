"""Walks pages as a client does: by the links in them."""

from collections.abc import Callable, Iterator
from typing import Any

import requests

from users_site.tests.api.client import SECONDS

BOUND = 1000
Page = dict[str, Any]


def follow(url: str) -> Page:
    """The page at a link."""
    answer = requests.get(url, timeout=SECONDS, allow_redirects=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def pages(first: Page, direction: str = "next", between: Callable[[], object] = lambda: None) -> Iterator[Page]:
    """`first` and all pages behind it; `between` is called before each step."""
    page = first
    for _ in range(BOUND):
        yield page
        if page[direction] is None:
            return
        between()
        page = follow(page[direction])
    raise AssertionError("the walk does not end")


def ids(*many: Page) -> list[str]:
    """The ids of the users on these pages, in their order."""
    return [user["id"] for page in many for user in page["results"]]
