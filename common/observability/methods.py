"""The methods that are called by their name in metrics and traces; what else a client sends is `OTHER`."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
