"""Samples of a running site's /metrics."""

from typing import Protocol

import requests


class Scraped(Protocol):
    @property
    def url(self) -> str: ...


def sample(site: Scraped, series: str) -> float | None:
    """The value of a series, its labels in the name; None where it is absent."""
    text = requests.get(f"{site.url}/metrics", timeout=10).text
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{series} ")), None)
