"""Reads trace files the way an import does, without a store: files in, WindowSpans out."""

from pathlib import Path

import polars as pl

from tracelith.ingest.describe import describe
from tracelith.ingest.intern import Interner
from tracelith.ingest.readers import read_file
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN

__all__ = ["read_window"]


def read_window(*paths: Path) -> WindowSpans:
    """All spans of these files; spans that a link points to are looked for among them."""
    interner = Interner(RESOURCE.to_frame(), OPERATION.to_frame())
    batches = [interner.intern(describe(batch.raw)) for path in paths for batch in read_file(path)]
    spans = pl.concat([SPAN.to_frame(), *(batch.spans for batch in batches)])
    links = pl.concat([LINK.to_frame(), *(batch.links for batch in batches)])
    linked = spans.join(
        links,
        left_on=["trace_hi", "trace_lo", "span_id"],
        right_on=[n for n in LINK.names() if "linked" in n],
        how="semi",
    )
    return WindowSpans(
        windows=(),
        spans=spans,
        links=links,
        linked_spans=linked,
        resources=pl.concat([RESOURCE.to_frame(), *(batch.resources for batch in batches)]),
        operations=pl.concat([OPERATION.to_frame(), *(batch.operations for batch in batches)]),
        upto=0,
    )
