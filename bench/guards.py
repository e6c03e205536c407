"""`make bench BENCH=guards`: CPU per read of a gateway with guards, as a ratio to one without.

The gateways share one user service and are loaded in turn, in random order. The result is the median ratio of all
turns.

python -m bench.guards [--seconds 1] [--rounds 20] [--connections 32] [--users 1000]; exits 1 above a bound
"""

import sys
import time
from functools import partial

from bench.processes import Pair
from bench.ways import Way, compare
from gateway_site.guard import api_keys
from gateway_site.guard.principal import READ, SCOPES
from gateway_site.tests.guard.issuer import Issuer, issuer, token

LIMIT = "1000000/s"
"""Higher than any client's rate: only the check is measured."""


def ways(running: Issuer, pair: Pair) -> list[Way]:
    key, line = api_keys.create("bench", SCOPES, None)
    file = pair.folder / "keys"
    file.write_text(line + "\n")
    keys = {"AUTH": "apikey", "AUTH_API_KEYS_FILE": str(file), "RATE_LIMIT": LIMIT}
    bearer, api_key = f"Authorization: Bearer {token(exp=time.time() + 7200, scope=READ)}", f"X-API-Key: {key}"
    return [
        Way("no guard", {"AUTH": "none"}),
        Way("API key, local limit", keys, api_key, 1.08),
        Way("JWT", running.settings, bearer, 1.12),
        Way("API key, limit in Redis", {**keys, "RATE_LIMIT_STORE": pair.store["REDIS_URL"]}, api_key),
    ]


if __name__ == "__main__":
    with issuer() as running:
        sys.exit(compare(__doc__, partial(ways, running)))
