"""Facts computed from a model once and shared by all rules."""
