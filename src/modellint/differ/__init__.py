"""Differences of two models, which are matched by structure."""
