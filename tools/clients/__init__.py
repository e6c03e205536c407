"""Typed clients made from the gateway's schema, and their examples (`make client`)."""
