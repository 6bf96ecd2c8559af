"""Cuts spans into OTLP requests: in order of time, grouped by process and instrumentation scope."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelith.simulate.encoding import Attributes, Encoding, Rows, Template, encode_rows
from tracelith.simulate.instrumentation import SpanShape
from tracelith.simulate.span_table import SpanTable

__all__ = ["BATCH_SPANS", "Batcher"]

BATCH_SPANS = 8_192  # what a Collector's batch processor sends by default

Ints = NDArray[np.int64]


class Batcher:
    """Writes slice after slice of one run, and remembers how its shapes, processes and scopes are written."""

    def __init__(self, encoding: Encoding, attributes_of: Callable[[int], Attributes], batch_spans: int) -> None:
        self._encoding = encoding
        self._attributes_of = attributes_of
        self._batch_spans = batch_spans
        self._templates: dict[SpanShape, Template] = {}
        self._resources: dict[int, bytes] = {}
        self._scopes: dict[str, bytes] = {}

    def requests(self, spans: SpanTable, leaving_us: Ints) -> Iterator[tuple[bytes, int]]:
        """Requests of at most batch_spans spans each, with their number of spans.

        Spans go out in the order in which they leave their process, so a trace may be cut by the end of a request.

        Args:
            spans: of one slice. leaving_us: int64[n], when each of them leaves.
        """
        small = np.min_scalar_type(len(spans.shapes))  # up to 16 bits are sorted by radix
        by_shape = np.argsort(spans.shape.astype(small), kind="stable")
        spans = spans.take(by_shape)
        rows = encode_rows(spans, [self._template(shape) for shape in spans.shapes], self._encoding)
        scopes = sorted({shape.scope for shape in spans.shapes})
        scope = np.array([scopes.index(shape.scope) for shape in spans.shapes], np.int64)[spans.shape]
        heads = [self._scope(name) for name in scopes]

        rank = np.empty(spans.size, np.int64)
        rank[np.argsort(leaving_us[by_shape], kind="stable")] = np.arange(spans.size)
        order = np.lexsort((rank, scope, spans.resource, rank // self._batch_spans))
        in_order = _rearranged(rows, order)
        keys = spans.resource[order] * len(scopes) + scope[order]
        for first in range(0, spans.size, self._batch_spans):
            size = min(self._batch_spans, spans.size - first)
            yield self._request(in_order, keys, first, first + size, heads), size

    def _request(self, rows: Rows, keys: Ints, first: int, end: int, scopes: list[bytes]) -> bytes:
        """Rows first to end as one request; keys: resource × number of scopes + scope, ascending within a request."""
        starts = first + np.flatnonzero(np.r_[True, np.diff(keys[first:end]) != 0])
        bounds = rows.offsets[np.r_[starts, end]].tolist()
        data = rows.data.data
        resources: list[tuple[bytes, list[tuple[bytes, memoryview]]]] = []
        last: int | None = None
        for place, key in enumerate(keys[starts].tolist()):
            resource, scope = divmod(key, len(scopes))
            if resource != last:
                resources.append((self._resource(resource), []))
                last = resource
            resources[-1][1].append((scopes[scope], data[bounds[place] : bounds[place + 1]]))
        return self._encoding.request(resources)

    def _template(self, shape: SpanShape) -> Template:
        if shape not in self._templates:
            self._templates[shape] = self._encoding.template(shape)
        return self._templates[shape]

    def _resource(self, number: int) -> bytes:
        if number not in self._resources:
            self._resources[number] = self._encoding.resource(self._attributes_of(number))
        return self._resources[number]

    def _scope(self, name: str) -> bytes:
        if name not in self._scopes:
            self._scopes[name] = self._encoding.scope(name)
        return self._scopes[name]


def _rearranged(rows: Rows, order: Ints) -> Rows:
    """The rows in another order; Arrow moves each as a whole, which gathering byte by byte would not."""
    buffers = [None, pa.py_buffer(rows.offsets), pa.py_buffer(rows.data)]
    array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), rows.offsets.size - 1, buffers)
    _, offsets, data = array.take(pa.array(order)).buffers()
    return Rows(np.frombuffer(data, np.uint8), np.frombuffer(offsets, np.int64))
