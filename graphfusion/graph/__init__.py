"""From node vectors to the graph's propagation matrix."""
