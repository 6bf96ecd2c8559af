"""The engine: observes windows into facts, concludes documents from facts, isolates failures."""
