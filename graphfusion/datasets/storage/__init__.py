"""The library's own format: how a corpus lies in a file, is opened and is written."""
