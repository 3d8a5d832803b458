"""Benchmarks: graphfusion against published constructions, PyG, and its own matrix products."""
