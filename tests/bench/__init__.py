"""Benchmarks: figures from real processes. Not collected by pytest; `make bench` runs them."""
