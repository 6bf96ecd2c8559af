"""What became of the work of each span: fine, failed, refused or cancelled (metrics.md §9.1).

A protocol's own code says more than the span status. A client must set status ERROR on HTTP 404, and yet the callee
did its work: so 4xx and the gRPC codes that blame the request are REFUSED even then, and a caller that hung up
is CANCELLED, which is never evidence against the callee. Without a code the status decides.
"""

import numpy as np
from numpy.typing import NDArray

from tracelith.ingest.fields import Fields
from tracelith.model.schema import Outcome, Status

__all__ = ["span_outcomes", "span_statuses"]

Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]

GRPC_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""By number. Source: grpc/grpc, doc/statuscodes.md."""

_CANCELLED = GRPC_CODES.index("CANCELLED")
_SERVER_FAILED = [
    GRPC_CODES.index(name)
    for name in (
        "UNKNOWN",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
    )
]
_CLIENT_CLOSED_REQUEST = 499  # nginx's code; Envoy and gRPC gateways use it too
_GRPC_NUMBERS = {str(number): number for number in range(len(GRPC_CODES))} | {
    name: number for number, name in enumerate(GRPC_CODES)
}


def span_statuses(status: UInt8, fields: Fields) -> UInt8:
    """Status per span; the tag ``error=true`` of older tracers makes an unset status ERROR."""
    flagged = fields.translated("error", lambda text: int(text.lower() == "true")) == 1
    return np.where(flagged & (status == Status.UNSET), Status.ERROR, status).astype(np.uint8)


def span_outcomes(status: UInt8, fields: Fields) -> UInt8:
    """Outcome per span, from its HTTP and gRPC codes and then from its status."""
    http = _http_codes(fields)
    grpc = _grpc_codes(fields)
    outcome = np.where(status == Status.ERROR, Outcome.FAILED, Outcome.FINE).astype(np.uint8)
    refused = ((http >= 400) & (http < 500)) | (grpc > 0)
    outcome[refused] = Outcome.REFUSED
    outcome[((http >= 500) & (http < 600)) | np.isin(grpc, _SERVER_FAILED)] = Outcome.FAILED
    outcome[(http == _CLIENT_CLOSED_REQUEST) | (grpc == _CANCELLED)] = Outcome.CANCELLED
    return outcome


def _http_codes(fields: Fields) -> Int64:
    """HTTP status codes, -1 if unknown; ``error.type`` carries the code where an HTTP span has no other."""
    codes = fields.numbers("http_status")
    is_http = (fields["http_method"] != 0) & (fields["rpc_system"] == 0)
    return np.where((codes < 0) & is_http, fields.numbers("error_type"), codes)


def _grpc_codes(fields: Fields) -> Int64:
    """gRPC codes by number, -1 if unknown; ``error.type`` carries the code where an RPC span has no other."""
    codes = fields.translated("rpc_status", _grpc_number)
    is_rpc = fields["rpc_system"] != 0
    return np.where((codes < 0) & is_rpc, fields.translated("error_type", _grpc_number), codes)


def _grpc_number(text: str) -> int:
    """Number of a gRPC code given as number or name, of either case; -1 for anything else."""
    return _GRPC_NUMBERS.get(text.upper(), -1)
