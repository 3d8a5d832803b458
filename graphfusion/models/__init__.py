"""Models: from conversations to logits; losses, presets and saved models."""
