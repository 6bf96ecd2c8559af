"""What others would say of the same evidence: published methods as their authors define them."""

from tracelith.evaluate.claims import Method

__all__ = ["METHODS"]

METHODS: tuple[Method, ...] = ()
"""In the order of tables."""
