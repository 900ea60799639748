"""A linter for neural-network model files."""

__version__ = "0.1.0"
