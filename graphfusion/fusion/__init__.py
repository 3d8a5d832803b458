"""Graph convolutions that fuse the modalities."""
