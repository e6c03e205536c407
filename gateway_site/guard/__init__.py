"""Guards `/api/users…`: credentials, rate limits, CORS, and an audit line for each write."""
