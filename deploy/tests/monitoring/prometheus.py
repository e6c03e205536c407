"""Prometheus' HTTP API."""

from typing import Any

import requests


def get(url: str, path: str, **parameters: Any) -> Any:
    answer = requests.get(f"{url}/api/v1/{path}", params=parameters, timeout=10).json()
    assert answer["status"] == "success", answer
    return answer["data"]
