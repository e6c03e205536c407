"""`make bench BENCH=routes`: CPU per read of all processes, with ten routes and from a cache, as a ratio to one route.

The gateways stand before one user service and are loaded in turn, in random order. The median ratio of all turns counts.

python -m bench.routes [--seconds 1] [--rounds 20] [--connections 32] [--users 1000]; exits 1 above a bound
"""

import sys
import tempfile
from pathlib import Path

from bench import processes
from bench.ways import Way, arguments, compare

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


def ways(folder: Path, upstream: str) -> list[Way]:
    ten, cached = folder / "ten.toml", folder / "cached.toml"
    ten.write_text(OTHERS)
    cached.write_text(CACHED.format(upstream=upstream))
    return [
        Way("one route", {"AUTH": "none"}),
        Way("ten routes", {"AUTH": "none", "ROUTES": str(ten)}, bound=1.03),
        Way("from the cache", {"AUTH": "none", "ROUTES": str(cached)}, bound=0.5),
    ]


def main() -> int:
    args = arguments(__doc__)
    with tempfile.TemporaryDirectory() as name, processes.pair(Path(name)) as pair:
        behind = {name: pid for name, pid in pair.running.items() if name != "gateway"}
        return compare(pair, ways(pair.folder, f"http://127.0.0.1:{pair.ports['users']}"), args, behind)


if __name__ == "__main__":
    sys.exit(main())
