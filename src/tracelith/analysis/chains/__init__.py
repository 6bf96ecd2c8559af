"""What the depth analysis observes per chain, and how it describes entry operations."""
