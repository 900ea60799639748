"""How `tools/measure_support.py` asks runtimes which operators they take."""
