"""An HTML page with a recording, its utterances and their predictions."""
