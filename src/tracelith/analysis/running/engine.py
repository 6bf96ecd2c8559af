"""Runs the analyses: observes stale windows into facts, and concludes a document from the facts of a period.

The engine keeps nothing that matters: facts are in the store, so it may be stopped at any moment, and the document of
a period depends on the spans alone, not on when or in what portions they came.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from tracelith.analysis.base import Analysis, Evidence
from tracelith.analysis.running.assemble import assemble_document
from tracelith.analysis.running.concluding import conclude_all
from tracelith.analysis.running.observing import (
    ObserveSpans,
    batches_of,
    observe_batches,
    observe_spans,
    several_at_once,
)
from tracelith.analysis.running.pool import observing_pool
from tracelith.model.declarations import Declarations
from tracelith.model.document import AnalysisDocument
from tracelith.model.ports import AnalysisStore, DeploymentStore

__all__ = ["Engine", "EngineStore", "Progress"]

CACHED_DOCUMENTS = 32

REMEMBERED_NS = 26 * 7 * 86_400_000_000_000
"""The period that recorded findings speak of: what the dashboard shows by default."""

WORTH_A_POOL = 4
"""Batches from which on processes are begun: that takes each about a second, in which one batch is observed."""

LARGER_IN_A_POOL = 2
"""Whoever begins a pool has no receiver to hold up: twice as large, batches take a tenth less time."""

Progress = Callable[[int, int], None]
"""Called with windows done and windows to do."""


class EngineStore(AnalysisStore, DeploymentStore, Protocol):
    """The store the engine works on."""


class Engine:
    """The analyses, bound to a store.

    Attributes:
        failures: what the latest observation of each failing analysis said, by analysis name; empty when all is well.
    """

    def __init__(
        self,
        store: EngineStore,
        analyses: Sequence[Analysis],
        *,
        observe: ObserveSpans | None = None,
        processes: int = 1,
        declarations: Callable[[], Declarations] = Declarations,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Makes sure that the store has a table for every fact. Call before ingest starts.

        Args:
            store: to read from and to write to. analyses: to run.
            observe: an observer with these analyses; by default they observe in this process and thread.
            processes: if more than one, much is observed at once, in so many processes of their own (running.pool);
                ``observe`` must then be a function of a module, as they import it.
            declarations: gives what people say about the system, each time something is concluded.
            now: the clock of documents and findings.
        """
        self.failures: dict[str, str] = {}
        self._store = store
        self._analyses = tuple(analyses)
        self._tables = [table for analysis in self._analyses for table in analysis.fact_tables]
        self._observe: ObserveSpans = observe or partial(observe_spans, self._analyses)
        self._processes = processes
        self._declarations = declarations
        self._declared = declarations()
        self._now = now
        self._analysing = threading.Lock()
        self._caching = threading.Lock()
        self._documents: OrderedDict[tuple[str, int, int, int, int], AnalysisDocument] = OrderedDict()
        store.ensure_fact_tables(self._tables)

    def analyse_stale(self, quiet_for_s: float = 0.0, on_progress: Progress | None = None) -> int:
        """Observes every window that changed and has been quiet for so long, and returns their number.

        An analysis that fails in a window leaves no facts there, is named in ``failures``, and stops nothing else.

        Raises:
            ObserverDied: an observer in another process could not begin; what was observed before is stored.
            ObserverStopped: an observer in another process was told to stop; what is left stays stale.
        """
        with self._analysing, ExitStack() as stack:
            windows = self._store.stale_windows(quiet_for_s)
            counts = self._store.window_span_counts(windows) if windows else {}
            batches = list(batches_of(windows, counts))
            observe, at_once = self._observe, 1
            if self._processes > 1 and sum(batch.buckets for batch in batches) >= WORTH_A_POOL:
                observe, at_once = stack.enter_context(observing_pool(observe, self._processes)), self._processes
                batches = list(batches_of(windows, counts, times=LARGER_IN_A_POOL))
            done = 0
            observed_batches = observe_batches(self._store, observe, self._tables, batches, at_once=at_once)
            for observed in several_at_once(stack.enter_context(closing(observed_batches))):
                self._store.replace_facts(observed.windows, observed.facts, observed.upto, observed.span_counts)
                self.failures.update(observed.failures)
                done += len(observed.windows)
                if on_progress is not None:
                    on_progress(done, len(windows))
            return done

    def conclude(self, environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        """The analysis document of one environment and half-open period.

        Args:
            environment: None for the one with most spans.
            start_ns: of the period. end_ns: of the period.

        Returns:
            Always a whole document: without data every part says so. The same facts give the same document, except
            generated_at. It may be shared between callers: do not change it.
        """
        seen = self._store.environments(start_ns, end_ns)
        chosen = environment if environment is not None else (seen[0][0] if seen else "")
        refusals = self._store.refusals()
        key = (chosen, start_ns, end_ns, self._store.fact_generation(), sum(refusals.values()))
        declarations = self._declarations()
        with self._caching:
            if declarations != self._declared:
                self._documents.clear()
                self._declared = declarations
            if (cached := self._documents.get(key)) is not None:
                self._documents.move_to_end(key)
                return cached
        evidence = Evidence(
            environment=chosen,
            start_ns=start_ns,
            end_ns=end_ns,
            facts=self._store.facts(chosen, start_ns, end_ns),
            deployments=self._store.deployments(chosen, 0, end_ns),
            refusals=refusals,
            declarations=declarations,
        )
        concluded = conclude_all(self._analyses, evidence, self.failures)
        names = [name for name, _ in seen]
        known = self._store.findings(chosen)
        first_seen_ns = dict(zip(known["id"], known["first_seen_ns"], strict=True))
        document = assemble_document(
            self._analyses, evidence, concluded, names, first_seen_ns=first_seen_ns, generated_at=self._now()
        )
        with self._caching:
            if declarations == self._declared:  # else they changed meanwhile, and nobody wants this document again
                self._documents[key] = document
            while len(self._documents) > CACHED_DOCUMENTS:
                self._documents.popitem(last=False)
        return document

    def record_findings(self) -> None:
        """Remembers, per environment, which findings of the latest half year stand now; documents tell since when.

        Findings that are gone are resolved, unless an analysis failed: it might have made them.
        """
        period = self._store.period()
        if period is None:
            return
        start_ns, end_ns = max(period[0], period[1] - REMEMBERED_NS), period[1]
        for environment, _ in self._store.environments(start_ns, end_ns):
            document = self.conclude(environment, start_ns, end_ns)
            if not any(analysis["error"] for analysis in document["analyses"]):
                now_ns = int(self._now().timestamp()) * 1_000_000_000
                self._store.sync_findings(environment, now_ns, document["findings"])
