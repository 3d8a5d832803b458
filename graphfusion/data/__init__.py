"""What comes in: conversations, batches and their statistics."""

from graphfusion.data import pytree as pytree  # registers the layout
