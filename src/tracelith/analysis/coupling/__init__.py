"""Which services are bound to each other, in which ways, and whether a call shows it."""
