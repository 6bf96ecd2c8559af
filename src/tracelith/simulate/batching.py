"""Cuts blocks of spans into OTLP requests: in order of time, grouped by process and instrumentation scope."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.encoding import Encoding, Group
from tracelith.simulate.execution import SpanBlock
from tracelith.simulate.rollouts import Fleet

__all__ = ["BATCH_SPANS", "encode_batches"]

BATCH_SPANS = 8_192  # what a Collector's batch processor sends by default


def encode_batches(
    blocks: Sequence[SpanBlock], fleet: Fleet, encoding: Encoding, *, batch_spans: int = BATCH_SPANS
) -> Iterator[tuple[bytes, int]]:
    """Requests of at most batch_spans spans each, with their number of spans.

    Spans leave in the order in which they end, as exporters send them, so a trace may be cut by the end of a request.
    """
    sizes = np.array([block.span_id.size for block in blocks], np.int64)
    if not sizes.sum():
        return
    spans = _Spans.of(blocks, sizes)
    order = np.argsort(spans.end_us, kind="stable")
    for first in range(0, order.size, batch_spans):
        chosen = order[first : first + batch_spans]
        yield encoding.request(_groups(blocks, spans, chosen, fleet, encoding)), chosen.size


@dataclass(frozen=True, slots=True)
class _Spans:
    """All spans of all blocks, one after another: when they end, whose they are, and where to find them."""

    end_us: NDArray[np.int64]
    resource: NDArray[np.int64]
    scope: NDArray[np.int64]
    block: NDArray[np.int64]
    row: NDArray[np.int64]
    scopes: tuple[str, ...]

    @classmethod
    def of(cls, blocks: Sequence[SpanBlock], sizes: NDArray[np.int64]) -> "_Spans":
        scopes = tuple(sorted({block.shape.scope for block in blocks}))
        code = {scope: number for number, scope in enumerate(scopes)}
        return cls(
            np.concatenate([block.end_us for block in blocks]),
            np.concatenate([block.resource for block in blocks]),
            np.repeat(np.array([code[block.shape.scope] for block in blocks], np.int64), sizes),
            np.repeat(np.arange(sizes.size), sizes),
            np.concatenate([np.arange(size) for size in sizes]),
            scopes,
        )


def _groups(
    blocks: Sequence[SpanBlock], spans: _Spans, chosen: NDArray[np.int64], fleet: Fleet, encoding: Encoding
) -> list[Group]:
    keys = spans.resource[chosen] * len(spans.scopes) + spans.scope[chosen]
    order = np.argsort(keys, kind="stable")
    chosen, keys = chosen[order], keys[order]
    flat, offsets = _flatten(blocks, spans.block[chosen], spans.row[chosen], encoding)
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    ends = np.r_[starts[1:], keys.size]
    groups = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        resource, scope = divmod(int(keys[start]), len(spans.scopes))
        body = flat[offsets[start] : offsets[end]].tobytes()
        groups.append(Group(fleet.attributes(resource), spans.scopes[scope], body))
    return groups


def _flatten(
    blocks: Sequence[SpanBlock], block_of: NDArray[np.int64], row_of: NDArray[np.int64], encoding: Encoding
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Encoded spans one after another, and where each begins (one entry more than spans: the end)."""
    parts = []
    widths = np.zeros(block_of.size, np.int64)
    by_block = np.argsort(block_of, kind="stable")
    present, firsts = np.unique(block_of[by_block], return_index=True)
    for block, positions in zip(present.tolist(), np.split(by_block, firsts[1:]), strict=True):
        rows = encoding.rows(blocks[block].take(row_of[positions]))
        widths[positions] = rows.shape[1]
        parts.append((positions, rows))
    offsets = np.concatenate([[0], np.cumsum(widths)])
    flat = np.empty(offsets[-1], np.uint8)
    for positions, rows in parts:
        flat[offsets[positions][:, None] + np.arange(rows.shape[1])] = rows
    return flat, offsets
