"""A page to look at and listen to: one recording, its utterances and their predictions."""
