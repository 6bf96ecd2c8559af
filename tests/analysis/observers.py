"""An observer that also does what analyses must never do. A process of its own imports it from here, by name."""

import os
import signal
import sys
import time

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.observing import Observed, observe_registered, observe_spans
from tracelith.analysis.statistics.intervals import clopper_pearson
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable
from tracelith.model.ports import WindowSpans

__all__ = ["ANALYSES", "EndsWhenImported", "observe_told", "tell_imported"]

LONG_S = 60.0


def _fail(view: ForestView) -> dict[str, pl.DataFrame]:
    raise ValueError(f"secret {view.forest.services}")


BROKEN = Analysis(
    "broken",
    "Fails",
    (FactTable("broken_facts", keys={"name": pl.String}, sums={"count": pl.Int64}),),
    _fail,
    lambda _: Conclusion({}),
    {},
)

ANALYSES = (BROKEN, *registered_analyses())


def observe_told(spans: WindowSpans) -> Observed:
    """What ANALYSES see, unless the name of a span says otherwise."""
    told = set(spans.operations["name"])
    if "GET /crash" in told:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "GET /too-large" in told:
        raise MemoryError
    if "GET /endless" in told:
        time.sleep(LONG_S)
    return observe_spans(ANALYSES, spans)


def tell_imported(spans: WindowSpans) -> Observed:
    """In place of failures, what the process has imported after all analyses observed, and then an interval."""
    observed = observe_registered(spans)
    imported = dict.fromkeys(sys.modules, "imported")
    return Observed(observed.facts, imported | {"interval": str(clopper_pearson(3, 10))})


class EndsWhenImported:
    """An observer whose process ends before it could be asked anything."""

    def __call__(self, spans: WindowSpans) -> Observed:
        raise NotImplementedError

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)
