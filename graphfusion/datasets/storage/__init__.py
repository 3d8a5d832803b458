"""Reads and writes the library's own file format."""
