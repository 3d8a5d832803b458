"""The same model, an utterance at a time."""
