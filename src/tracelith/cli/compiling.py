"""``tracelith compile``: has the loops over spans compiled before somebody waits for them."""

from tracelith.evaluate.pipeline import observe
from tracelith.simulate import simulate

__all__ = ["compile_loops"]

SYSTEM, TRACES = "kafka", 200
"""Requests, queues, span links, databases, failures and retries: every loop is about one of them."""


def compile_loops() -> None:
    """Analyses a few requests; what is compiled on the way is kept for all later processes."""
    observe(simulate(SYSTEM, weeks=1, traces=TRACES), with_spans=False)
