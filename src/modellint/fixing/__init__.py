"""Fixing of models: proposals from hits, rounds of edits, proof, and writing."""
