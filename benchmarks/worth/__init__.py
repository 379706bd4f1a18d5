"""Compares sources of pairs by the fixers that they train. Run it with `python -m benchmarks.worth`."""
