"""`make bench BENCH=routes`: CPU per read of all processes, with ten routes and from a cache, as a ratio to one route.

The gateways share one user service and are loaded in turn, in random order. The result is the median ratio of all
turns.

python -m bench.routes [--seconds 1] [--rounds 20] [--connections 32] [--users 1000]; exits 1 above a bound
"""

import sys

from bench.processes import Pair
from bench.ways import Way, compare

OTHERS = "".join(
    f"""
[[routes]]
prefix = "/api/other{number}"
upstream = "http://127.0.0.1:{number}"
cache = {{}}
compress = {{}}
answer_headers = {{ set = {{ x-other = "1" }} }}
"""
    for number in range(1, 10)
)
CACHED = """
[[routes]]
prefix = "/api/users"
upstream = "{upstream}"
rewrite = "/users"
cache = {{}}
answer_headers = {{ set = {{ cache-control = "max-age=3600" }} }}
"""


def ways(pair: Pair) -> list[Way]:
    ten, cached = pair.folder / "ten.toml", pair.folder / "cached.toml"
    ten.write_text(OTHERS)
    cached.write_text(CACHED.format(upstream=f"http://127.0.0.1:{pair.ports['users']}"))
    return [
        Way("one route", {"AUTH": "none"}),
        Way("ten routes", {"AUTH": "none", "ROUTES": str(ten)}, bound=1.03),
        Way("from the cache", {"AUTH": "none", "ROUTES": str(cached)}, bound=0.5),
    ]


if __name__ == "__main__":
    sys.exit(compare(__doc__, ways, all_processes=True))
