"""Encoders: from features to node vectors."""
