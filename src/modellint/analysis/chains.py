"""Limit on how far analyses follow a chain of ops."""

LONGEST = 500
"""Limit on steps along a chain of ops, which may be a cycle in a broken model."""
