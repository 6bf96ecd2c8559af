"""The requests, messages and jobs that services handled, by their entry spans: told once for all who count them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.operation_names import request_names
from tracelith.analysis.trace_strata import trace_strata
from tracelith.forest.view import ForestView, Int32

__all__ = ["Requests", "requests_of"]


@dataclass(frozen=True, slots=True)
class Requests:
    """One entry per request, in the order of their entry spans.

    Attributes:
        span: int32, its entry span. trace, service: int32. stratum: int32, that of its trace. operation: int32, its
            name among request_names.
    """

    span: Int32
    trace: Int32
    stratum: Int32
    service: Int32
    operation: Int32

    def of(self, rows: NDArray[np.integer]) -> "Requests":
        """Those in these rows."""
        columns = (self.span, self.trace, self.stratum, self.service, self.operation)
        return Requests(*(column.take(rows) for column in columns))


def requests_of(view: ForestView) -> Requests:
    """The requests of all traces; ask for them by ``view.once``."""
    forest, service = view.forest, view.calls.span_service
    span = np.flatnonzero(view.calls.span_request == np.arange(service.size, dtype=np.int32)).astype(np.int32)
    trace = forest.trace.take(span)
    stratum = view.once(trace_strata).stratum.take(trace)
    operation = view.once(request_names)[1].take(forest.operation.take(span))
    return Requests(span, trace, stratum, service.take(span), operation)
