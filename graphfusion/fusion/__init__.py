"""Graph convolutions that fuse the modalities of a conversation."""
