"""The code that answers rules: one module per family, small functions Context -> hits."""

from modellint.checks.api import Check, Context, Hit, Place

__all__ = ["Check", "Context", "Hit", "Place"]
