"""Construction of the graph: from node vectors to its propagation matrix."""
