"""Fault drills: each starts its own pair, keeps a mixed load on it, injects a fault, and checks what clients saw."""
