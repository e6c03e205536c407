"""Load on the pair as it ships, beside a floor measured in the same run. `make bench`; loopback only, bounded in time."""
