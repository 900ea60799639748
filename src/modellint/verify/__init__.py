"""Verification of findings with a runtime's own optimizer."""
