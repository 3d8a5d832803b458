"""What comes in: conversations, batches and their statistics."""
