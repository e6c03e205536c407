"""Fault drills: each starts its own services, sends a mixed load, injects a fault, and reports what clients saw."""
