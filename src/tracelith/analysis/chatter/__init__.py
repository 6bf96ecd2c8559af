"""How often requests repeat one and the same call: facts, and what they say about each call."""
