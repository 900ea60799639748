"""Basic utilities for all packages, without dependencies on any of them."""
