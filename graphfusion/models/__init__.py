"""From conversations to logits: the composed model, its loss, and saved models."""
