"""Verification of findings with a runtime's own optimizer, whichever runtime it is."""
