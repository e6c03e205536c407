"""Kubernetes quantities (`250m`, `128Mi`) as numbers."""

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?")
_SUFFIX = {
    "n": "1e-9",
    "u": "1e-6",
    "m": "1e-3",
    "k": "1e3",
    "M": "1e6",
    "G": "1e9",
    "T": "1e12",
    "P": "1e15",
    "E": "1e18",
}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def quantity(value: object) -> Decimal:
    """The number a quantity stands for: cores, bytes. Raises ValueError for what Kubernetes refuses."""
    match = _FORM.fullmatch(str(value))
    if match is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is no quantity")
    digits, exponent, suffix = match.groups()
    if suffix in _BINARY:
        return Decimal(digits) * Decimal(1024) ** _BINARY[suffix]
    return Decimal(digits + (exponent or "")) * Decimal(_SUFFIX.get(suffix, "1"))
