"""Fixes: one module per rule family, of functions that turn a rule's hit into edits."""
