"""Which defects traces can have, and how they are counted."""
