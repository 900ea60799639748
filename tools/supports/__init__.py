"""Parts of `tools/measure_support.py`: models to ask about, who is asked, and the tables."""
