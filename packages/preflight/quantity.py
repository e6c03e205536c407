"""Kubernetes quantities (`250m`, `128Mi`) as numbers."""

import re
from decimal import Decimal
from typing import Any

from packages.preflight.objects import dig

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def amount(data: Any, *path: str) -> Decimal | None:
    """Cores or bytes at `path`; None if there are none, or none that Kubernetes takes."""
    value = dig(data, *path)
    match = None if value is None or isinstance(value, bool) else _FORM.fullmatch(str(value))
    if match is None:
        return None
    digits, exponent, suffix = match.groups()
    if suffix in _BINARY:
        return Decimal(digits) * Decimal(1024) ** _BINARY[suffix]
    return Decimal(digits + (exponent or "")).scaleb(_DECIMAL.get(suffix, 0))
