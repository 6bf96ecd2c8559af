"""What the tail analysis observes per hop and edge, and how it splits the tail's excess among hops."""
