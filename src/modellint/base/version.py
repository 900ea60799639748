"""The version of modellint, which packages and reports state."""

__version__ = "0.1.0"
