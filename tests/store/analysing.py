"""An engine in small for tests of the store: one fact row per window, as many calls as spans start in it."""

from store.rows import COUNTS, counts
from tracelith.store import Store

__all__ = ["ALWAYS", "analyse", "calls"]

ALWAYS = (0, 2**62)


def analyse(store: Store) -> list[int]:
    """Writes the facts of all stale windows, which it returns."""
    windows = store.stale_windows(0)
    upto = store.read_windows(windows).upto
    spans = store.window_span_counts(windows)
    rows = counts(*((window_ns, "prod", "a", 1, spans[window_ns], 0.5, window_ns, window_ns) for window_ns in windows))
    store.replace_facts(windows, {"counts": rows}, upto, {(window_ns, "prod"): n for window_ns, n in spans.items()})
    return windows


def calls(store: Store) -> int:
    """All calls that facts tell of."""
    return int(store.facts("prod", *ALWAYS).merged(COUNTS)["calls"].sum())
