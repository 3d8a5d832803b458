"""What conversations and corpora must be, and what they are hardly on purpose."""
