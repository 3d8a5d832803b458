"""Argument checks and small helpers."""
