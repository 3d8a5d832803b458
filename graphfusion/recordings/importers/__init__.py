"""Importers: a table of utterances from what others write."""
