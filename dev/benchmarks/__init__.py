"""Benchmarks: one script a question, with a table for people and `--json` for machines."""
