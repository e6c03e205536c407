"""Fault drills: each starts its own pair, loads it, injects a fault, and checks the clients' results."""
