"""How many spans each window and environment has: the forest knows for nothing, a query would hash every span."""

from collections import Counter

import numpy as np

from tracelith.forest.view import TraceForest

__all__ = ["count_spans"]


def count_spans(forest: TraceForest) -> Counter[tuple[int, str]]:
    """Distinct spans of the traces that belong to each window and environment; no pair without traces."""
    windows, window = np.unique(forest.trace_window, return_inverse=True)
    environments = len(forest.environments)
    place = window * environments + forest.trace_environment
    spans = np.bincount(place, weights=np.diff(forest.trace_first))  # floats, but whole numbers
    return Counter(
        {
            (int(windows[at // environments]), forest.environments[at % environments]): int(spans[at])
            for at in np.flatnonzero(spans)
        }
    )
