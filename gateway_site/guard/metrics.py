from prometheus_client import Counter

REFUSALS = Counter("auth_refusals", "Requests with a refused credential", ("reason",))
REASONS = ("missing", "ambiguous", "malformed", "unknown_key", "expired", "not_yet", "signature", "claims", "scope")
for _reason in REASONS:
    REFUSALS.labels(_reason)

KEY_SET_FETCHES = Counter("auth_key_set_fetches", "Fetches of AUTH_JWKS_URL", ("outcome",))
KEY_FILE_READS = Counter("auth_key_file_reads", "Reads of AUTH_API_KEYS_FILE after a change", ("outcome",))

RATE_LIMITED = Counter("rate_limited_requests", "Requests answered 429")
