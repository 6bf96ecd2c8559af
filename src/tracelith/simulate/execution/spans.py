"""Spans as columns: what is open while requests are walked, and the blocks that come out."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.instrumentation import SpanShape
from tracelith.simulate.latency import Micros
from tracelith.simulate.topology import Service

__all__ = ["Ids", "Ints", "OpenSpans", "Recorder", "SpanBlock"]

Ids = NDArray[np.uint64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SpanBlock:
    """Spans of one shape. Every array has one entry per span.

    Attributes:
        trace_hi, trace_lo, span_id, parent_id: ids; parent_id is 0 for roots.
        start_us, end_us: microseconds since 1970. resource: number in the fleet.
        number, partition: fill the placeholders of the shape's attributes.
        linked_hi, linked_lo, linked_span: target of the span link, 0 unless shape.linked.
    """

    shape: SpanShape
    trace_hi: Ids
    trace_lo: Ids
    span_id: Ids
    parent_id: Ids
    start_us: Micros
    end_us: Micros
    resource: Ints
    number: Ints
    partition: Ints
    linked_hi: Ids
    linked_lo: Ids
    linked_span: Ids

    def take(self, rows: Ints) -> "SpanBlock":
        """Only these spans of the block."""
        columns = [getattr(self, field.name)[rows] for field in fields(self)[1:]]
        return SpanBlock(self.shape, *columns)


@dataclass(frozen=True, slots=True)
class OpenSpans:
    """One open span in each of many requests: what is done next hangs below it.

    Attributes:
        service: whose spans; None outside the system, where span_id is 0 and instance and resource mean nothing.
        awaited: the request that came in waits for what is done here. hops: services above that it waits for, each
            for the next. over_queue: some of them are waited for over a queue.
        request: int64, number of the request in its slice and entry, for the ledger.
        The other arrays: as in SpanBlock; instance: replica of the service.
    """

    service: Service | None
    awaited: bool
    hops: int
    over_queue: bool
    request: Ints
    trace_hi: Ids
    trace_lo: Ids
    span_id: Ids
    parent_id: Ids
    instance: Ints
    resource: Ints
    number: Ints

    @property
    def owner(self) -> Service:
        """The service whose spans these are.

        Raises:
            ValueError: nobody's; a step needs a service that takes it.
        """
        if self.service is None:
            raise ValueError("a step needs a service that takes it")
        return self.service

    @property
    def count(self) -> int:
        """How many spans."""
        return int(self.number.size)

    def take(self, rows: NDArray[np.intp]) -> "OpenSpans":
        """Only these spans; rows ascend and occur once each."""
        if rows.size == self.count:
            return self
        return replace(
            self,
            request=self.request[rows],
            trace_hi=self.trace_hi[rows],
            trace_lo=self.trace_lo[rows],
            span_id=self.span_id[rows],
            parent_id=self.parent_id[rows],
            instance=self.instance[rows],
            resource=self.resource[rows],
            number=self.number[rows],
        )

    def below(self, span_id: Ids) -> "OpenSpans":
        """New spans of the same process, children of these."""
        return replace(self, span_id=span_id, parent_id=self.span_id)


class Recorder:
    """Makes ids and collects blocks of spans; or neither, where nobody will read them.

    Ids come from a stream of their own, so that what happens is the same whether spans are made or not.
    """

    def __init__(self, ids: np.random.Generator | None) -> None:
        self.blocks: list[SpanBlock] = []
        self._ids = ids

    def new_ids(self, count: int) -> Ids:
        """uint64[count] random ids that are not 0."""
        if self._ids is None:
            return np.zeros(count, np.uint64)
        return self._ids.integers(1, 2**64, count, dtype=np.uint64)

    def emit(
        self,
        shape_of: Callable[[int], SpanShape],
        spans: OpenSpans,
        start_us: Micros,
        end_us: Micros,
        status: Ints,
        *,
        partition: Ints | None = None,
        link: OpenSpans | None = None,
    ) -> None:
        """The open spans are over: one block per status that occurs."""
        if self._ids is None or not spans.count:
            return
        first = int(status[0])
        if (status == first).all():
            self.blocks.append(_block(shape_of(first), spans, start_us, end_us, partition=partition, link=link))
            return
        for code in np.unique(status):
            rows = np.flatnonzero(status == code)
            self.blocks.append(
                _block(
                    shape_of(int(code)),
                    spans.take(rows),
                    start_us[rows],
                    end_us[rows],
                    partition=None if partition is None else partition[rows],
                    link=None if link is None else link.take(rows),
                )
            )


def _block(
    shape: SpanShape,
    spans: OpenSpans,
    start_us: Micros,
    end_us: Micros,
    *,
    partition: Ints | None,
    link: OpenSpans | None,
) -> SpanBlock:
    nothing = np.zeros(spans.count, np.uint64)
    linked = link if shape.linked else None
    return SpanBlock(
        shape,
        spans.trace_hi,
        spans.trace_lo,
        spans.span_id,
        spans.parent_id,
        start_us,
        end_us,
        spans.resource,
        spans.number,
        np.zeros(spans.count, np.int64) if partition is None else partition,
        nothing if linked is None else linked.trace_hi,
        nothing if linked is None else linked.trace_lo,
        nothing if linked is None else linked.span_id,
    )
