"""Tables with a row for each utterance, as corpora and back."""
