"""Typed clients made from the gateway's schema, and what proves them at a running pair (`make client`)."""
