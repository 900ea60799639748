"""Tests that run other vendors' programs for real: `make oracles`, which installs them first."""
