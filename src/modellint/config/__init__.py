"""Configuration: `modellint.toml` or `pyproject.toml` in, validated settings out."""
