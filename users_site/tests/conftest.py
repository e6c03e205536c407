"""Shared by all tests of this site."""

from hypothesis import settings

# One slow example on a busy machine is not a failure.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")
