"""What the engine and the faces need of a store. The comments here are the store's specification.

"Window" is the start of an analysis window in nanoseconds, a multiple of WINDOW_NS.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from tracelith.model.facts import FactReader, FactTable

__all__ = ["AnalysisStore", "DeploymentStore", "TraceReader", "WindowSpans"]


@dataclass(frozen=True, slots=True)
class WindowSpans:
    """All spans of every trace that has a span starting in one of the windows.

    Attributes:
        windows: the windows asked for, ascending; empty where traces were asked for by id. Traces whose earliest
            span lies in another window are included; the forest leaves them out.
        spans: SPAN rows. links: LINK rows whose linking span is among them.
        linked_spans: SPAN rows that those links point to, from any trace, up to an hour away; needed to name the
            producer of a message.
        resources, operations: RESOURCE and OPERATION rows, every code used in spans and linked_spans.
        upto: commit sequence number of the snapshot; hand it back to replace_facts.
    """

    windows: tuple[int, ...]
    spans: pl.DataFrame
    links: pl.DataFrame
    linked_spans: pl.DataFrame
    resources: pl.DataFrame
    operations: pl.DataFrame
    upto: int


class TraceReader(Protocol):
    """Raw spans as evidence."""

    def read_trace(self, trace_hi: int, trace_lo: int) -> WindowSpans:
        """One trace, whole; no rows if it is unknown or past retention."""
        ...


class AnalysisStore(TraceReader, Protocol):
    """What the engine needs: windows that changed, their spans, and a place for facts."""

    def stale_windows(self, quiet_for_s: float) -> list[int]:
        """Windows whose facts are missing or out of date, oldest first.

        A window is stale when a span was committed to it since its facts were written, or when such a span belongs to
        a trace that also touches it (a late root moves its trace to an earlier window, so both are stale), or to which
        that window's traces link. Traces are followed for an hour to either side. A window to which spans were
        committed within the last quiet_for_s seconds (of wall time, not span time) is not listed yet; 0 lists all.
        Windows whose raw spans were deleted keep their facts and are never stale.
        """
        ...

    def read_windows(self, windows: Sequence[int]) -> WindowSpans:
        """Spans of these windows, in no particular order.

        Quiet systems and imports have thousands of windows with a few spans each, so windows are read, observed and
        replaced many at a time.
        """
        ...

    def read_buckets(self, windows: Sequence[int], buckets: int) -> Iterator[WindowSpans]:
        """The same in so many parts, each with the traces whose id falls in one bucket (bounds memory).

        All parts have the same ``upto``.
        """
        ...

    def window_span_counts(self, windows: Sequence[int]) -> dict[int, int]:
        """Stored spans that start in each window; decides how many windows go together and into how many buckets."""
        ...

    def ensure_fact_tables(self, tables: Sequence[FactTable]) -> None:
        """Creates missing fact tables and rebuilds those whose columns differ; call it before ingest starts.

        After either, every window that still has raw spans is stale, so that the table gets filled."""
        ...

    def replace_facts(
        self,
        windows: Sequence[int],
        facts: Mapping[str, pl.DataFrame],
        upto: int,
        span_counts: Mapping[tuple[int, str], int],
    ) -> None:
        """Replaces all facts of these windows, by table name, and marks them analysed up to that sequence, atomically.

        The frames have all columns of FactTable.schema; a window without rows loses the facts it had. span_counts says
        for each window and environment how many spans its traces have; spans that were sent again count once.
        """
        ...

    def facts(self, environment: str, start_ns: int, end_ns: int) -> FactReader:
        """Facts of one environment and half-open period."""
        ...

    def environments(self, start_ns: int, end_ns: int) -> list[tuple[str, int]]:
        """Environments with facts in the period and their number of spans, most first."""
        ...

    def period(self) -> tuple[int, int] | None:
        """First window start and last window end that have facts, None without any."""
        ...

    def refusals(self, since_ns: int = 0) -> dict[str, int]:
        """Spans refused by receiver and readers since that time, by reason, most first."""
        ...

    def sync_findings(self, environment: str, now_ns: int, found: Sequence[Mapping[str, Any]]) -> None:
        """Makes these FindingDocuments the open findings of the environment and resolves the others."""
        ...

    def findings(self, environment: str) -> pl.DataFrame:
        """Findings of the environment, open and resolved: id, state, first_seen_ns, last_seen_ns and what they say."""
        ...

    def fact_generation(self) -> int:
        """A number that grows whenever facts or deployments change; lets faces cache documents."""
        ...


class DeploymentStore(Protocol):
    """Deployments told by people and pipelines."""

    def add_deployments(self, deployments: pl.DataFrame) -> int:
        """Stores the DEPLOYMENT rows not there yet and returns how many were new.

        The same service, environment, version, time and source is the same row.
        """
        ...

    def deployments(self, environment: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        """DEPLOYMENT rows in the half-open period, sorted by at_ns and service. A row with an empty environment counts
        in every environment."""
        ...
