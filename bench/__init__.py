"""Benchmarks of the pair in its production form, with a floor measured in the same run (`make bench`). Loopback only,
bounded in time."""
