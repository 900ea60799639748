"""Measures models in their runtimes: in rounds, each in a child process with limits."""
