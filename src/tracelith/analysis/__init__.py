"""One file per analysis (observe and conclude), the statistics they share, and the engine that runs them."""
