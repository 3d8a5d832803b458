"""Conversations, batches, and statistics of features."""

from graphfusion.data import pytree as pytree  # registers the layout
