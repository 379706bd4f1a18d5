"""Benchmarks of the three stages. Run each from the repository root: `python -m benchmarks.bench_degrade docs/`."""
