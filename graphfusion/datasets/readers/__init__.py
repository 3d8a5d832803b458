"""Readers of `.npz` files and pickles."""
