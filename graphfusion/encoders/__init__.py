"""From features to node vectors."""
