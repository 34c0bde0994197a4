"""Benchmarks: `python -m tests.benchmarks`. No tests: a slow machine is not an error."""
