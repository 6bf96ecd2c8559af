"""From the parts of a document to groups, score and verdict (metrics of all families together)."""
