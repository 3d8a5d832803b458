"""One reader of each published corpus."""
