"""Conversion between corpora and tables with one row per utterance."""
