"""The status page at `/`, where STATUS_PAGE is on: what runs here, what it depends on, what it does just now."""
