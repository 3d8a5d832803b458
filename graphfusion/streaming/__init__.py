"""Streaming inference of causal models."""
