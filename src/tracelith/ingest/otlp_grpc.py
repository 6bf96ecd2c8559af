"""OTLP over gRPC: ``TraceService/Export``, acknowledged after the commit.

The handler takes bytes, not messages: decoding happens once, in columns, for many requests together.
Statuses follow the OTLP specification: INVALID_ARGUMENT for bytes that are no request (never retried),
UNAVAILABLE with RetryInfo when the queue is full or the commit failed, RESOURCE_EXHAUSTED (by gRPC itself)
for a message over the size limit.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracelith.ingest.commit import Encoding, Receipt
from tracelith.model.errors import ConfigurationError, InvalidRequest, Overloaded, StoreError

__all__ = ["GrpcReceiver", "Submit", "export_response"]

Submit = Callable[[bytes, Encoding], "Future[Receipt]"]

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"

WORKERS = 64
"""Requests that may wait for their commit at once. A waiting worker only sleeps; gRPC's flow control holds the rest."""

ACKNOWLEDGE_TIMEOUT_S = 60.0


class GrpcReceiver:
    """A running OTLP/gRPC server.

    Attributes:
        address: host:port it listens on, with the real port when 0 was asked for.
    """

    def __init__(self, submit: Submit, address: str, *, max_message_bytes: int) -> None:
        """Starts listening.

        Raises:
            ConfigurationError: the address is taken or cannot be parsed.
        """
        self._submit = submit
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(
            self._workers,
            options=[
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share the traffic
            ],
        )
        export = grpc.unary_unary_rpc_method_handler(self._export)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": export}),))
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ConfigurationError(
                f"OTLP/gRPC cannot listen on {address}; is another receiver there? Choose another --grpc address."
            ) from error
        self.address = f"{address.rsplit(':', 1)[0]}:{port}"
        self._server.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Refuses new requests and lets those under way finish."""
        self._server.stop(grace_s).wait()
        self._workers.shutdown()

    def _export(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            receipt = self._submit(body, "protobuf").result(ACKNOWLEDGE_TIMEOUT_S)
        except InvalidRequest as error:
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Overloaded as error:
            _abort(context, grpc.StatusCode.UNAVAILABLE, str(error), retry_after_s=error.retry_after_s)
        except (StoreError, FutureTimeout) as error:
            _abort(context, grpc.StatusCode.UNAVAILABLE, f"not stored, send again: {error}", retry_after_s=5.0)
        except Exception as error:  # a defect of ours: the sender must learn that this body was not stored
            _abort(context, grpc.StatusCode.INTERNAL, f"not stored: {type(error).__name__}")
        else:
            answer: bytes = export_response(receipt).SerializeToString()
            return answer
        raise AssertionError("abort raises")


def export_response(receipt: Receipt) -> ExportTraceServiceResponse:
    """The OTLP answer; ``partial_success`` stays unset on full success, as the specification demands."""
    response = ExportTraceServiceResponse()
    if receipt.rejected:
        response.partial_success.rejected_spans = receipt.rejected
        response.partial_success.error_message = receipt.reason
    return response


def _abort(
    context: grpc.ServicerContext, code: grpc.StatusCode, message: str, *, retry_after_s: float | None = None
) -> None:
    status = Status(code=code.value[0], message=message)
    if retry_after_s is not None:
        delay = Duration()
        delay.FromMilliseconds(int(retry_after_s * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)
