"""Configuration: reads `modellint.toml` or `pyproject.toml` into validated settings."""
