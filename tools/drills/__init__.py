"""Fault drills: each starts a pair of its own, keeps a mixed load on it, does it harm, and tells what clients saw."""
