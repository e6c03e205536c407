"""The rules, by subject. Importing this package fills the table."""

from packages.preflight.rules import (  # noqa: F401 - each registers its rules
    capacity,
    credentials,
    identity,
    images,
    network,
    own,
    probes,
    references,
    scaling,
    security,
    selectors,
    stores,
)  # fmt: skip
