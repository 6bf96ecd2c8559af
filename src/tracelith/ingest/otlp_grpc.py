"""OTLP over gRPC: ``TraceService/Export``, acknowledged after the commit.

The handler takes bytes, not messages: decoding happens once, in columns, for many requests together.
Statuses follow the OTLP specification: INVALID_ARGUMENT for bytes that are no request (never retried),
UNAVAILABLE with RetryInfo when the queue is full or the commit failed, RESOURCE_EXHAUSTED (by gRPC itself)
for a message over the size limit, UNIMPLEMENTED for metrics and logs. All are counted, for some are seen nowhere else.

To gRPC the call is one of a stream of requests, which is the same on the wire. So the handler, and not gRPC, asks for
the message: only some workers do at a time, for each may get one as large as is allowed, and a call whose message does
not come is cancelled, for a worker waits for it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracelith.ingest.commit import Encoding, Receipt
from tracelith.model.errors import ConfigurationError, InvalidRequest, Overloaded, StoreError

__all__ = ["EXPORT", "GrpcReceiver", "Submit", "export_response"]

Submit = Callable[[bytes, Encoding], "Future[Receipt]"]

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
"""The one method, as gRPC names it on the wire."""

WORKERS = 64
"""Requests that may wait for their commit at once. A waiting worker only sleeps; gRPC's flow control holds the rest."""

ACKNOWLEDGE_TIMEOUT_S = 60.0

RECEIVE_TIMEOUT_S = 10.0
"""For a message to come; exporters give up on the whole call after as long by default."""

MAX_RECEIVING_BYTES = 256 << 20
"""Of messages being received, if all of them were of the largest size; with the default limit 16 at a time."""

TURN_TIMEOUT_S = 2.0
"""A call waits for so long for its turn to be received."""

TURN_AWAY_S = 0.25
"""Before it stops, the receiver itself refuses new calls for so long: gRPC would only cancel those it has not handed
over yet, and a sender could not tell that from a mistake of its own."""

MAX_CALLS = 2_048
MAX_CALLS_PER_CONNECTION = 256
"""Under way; clients hold back calls beyond the latter, and those beyond the former are RESOURCE_EXHAUSTED."""

OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share the traffic
    ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
    ("grpc.server_handshake_timeout_ms", 10_000),  # a connection that does not speak HTTP/2
    ("grpc.keepalive_time_ms", 60_000),  # a client that vanished, or does not read
    ("grpc.keepalive_timeout_ms", 20_000),
)


class GrpcReceiver:
    """A running OTLP/gRPC server.

    Attributes:
        address: host:port it listens on, with the real port when 0 was asked for.
    """

    def __init__(
        self,
        submit: Submit,
        address: str,
        *,
        max_message_bytes: int,
        answered: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Starts listening.

        Args:
            submit: takes a body and promises its Receipt. max_message_bytes: limit for a message, decompressed.
            answered: told the name of the status of each answer.

        Raises:
            ConfigurationError: the address is taken or cannot be parsed.
        """
        self._submit = submit
        self._answered = answered
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(
            self._workers,
            options=[*OPTIONS, ("grpc.max_receive_message_length", max_message_bytes)],
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        self._turns = threading.Semaphore(max(4, MAX_RECEIVING_BYTES // max_message_bytes))
        self._awaited: dict[grpc.ServicerContext, float] = {}
        self._turning_away = threading.Event()
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._cancel_overdue, name="otlp-grpc-overdue", daemon=True)
        self._server.add_generic_rpc_handlers((_Handlers(self._export, self._refuse_method),))
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ConfigurationError(
                f"OTLP/gRPC cannot listen on {address}; is another receiver there? Choose another --grpc address."
            ) from error
        self.address = f"{address.rsplit(':', 1)[0]}:{port}"
        self._server.start()
        self._watch.start()

    def stop(self, grace_s: float = 15.0) -> None:
        """Refuses new requests and lets those under way finish."""
        self._turning_away.set()
        time.sleep(TURN_AWAY_S)
        self._server.stop(grace_s).wait()
        self._stopping.set()
        self._watch.join()
        self._workers.shutdown()

    def _export(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        body = self._receive(requests, context)
        try:
            receipt = self._submit(body, "protobuf").result(ACKNOWLEDGE_TIMEOUT_S)
        except InvalidRequest as error:
            self._abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Overloaded as error:
            self._abort(context, grpc.StatusCode.UNAVAILABLE, str(error), retry_after_s=error.retry_after_s)
        except (StoreError, FutureTimeout) as error:
            self._abort(context, grpc.StatusCode.UNAVAILABLE, f"not stored, send again: {error}", retry_after_s=5.0)
        except Exception as error:  # a defect of ours: the sender must learn that this body was not stored
            self._abort(context, grpc.StatusCode.INTERNAL, f"not stored: {type(error).__name__}")
        else:
            self._answered("OK")
            answer: bytes = export_response(receipt).SerializeToString()
            return answer
        raise AssertionError("abort raises")

    def _receive(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """The one message of the call; gRPC ends this thread's work with an exception when the call is cancelled."""
        if self._turning_away.is_set():
            message = "the server is stopping; send again to the next one"
            self._abort(context, grpc.StatusCode.UNAVAILABLE, message, retry_after_s=1.0)
        if not self._turns.acquire(timeout=TURN_TIMEOUT_S):
            message = "too many requests are being received; send again later"
            self._abort(context, grpc.StatusCode.UNAVAILABLE, message, retry_after_s=1.0)
        try:
            self._awaited[context] = time.monotonic()
            body = next(requests, None)
        except grpc.RpcError:  # the sender gave up, or gRPC did, as the message is over the limit: both look alike
            self._answered("CANCELLED")
            raise
        finally:
            self._awaited.pop(context, None)
            self._turns.release()
        if body is None:
            # All that is heard of a message over the limit, if this thread is faster than gRPC itself. A client that
            # sends none, which no exporter does, gets this answer and is counted alike.
            self._answered("RESOURCE_EXHAUSTED")
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "the call ended without a request")
            raise AssertionError("abort raises")
        return body

    def _refuse_method(self, _: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        message = "Tracelith takes traces only; send metrics and logs elsewhere"
        self._abort(context, grpc.StatusCode.UNIMPLEMENTED, message)
        raise AssertionError("abort raises")

    def _abort(
        self, context: grpc.ServicerContext, code: grpc.StatusCode, message: str, *, retry_after_s: float | None = None
    ) -> None:
        self._answered(code.name)
        _abort(context, code, message, retry_after_s=retry_after_s)

    def _cancel_overdue(self) -> None:
        while not self._stopping.wait(RECEIVE_TIMEOUT_S / 10):
            latest_start = time.monotonic() - RECEIVE_TIMEOUT_S
            for context, started in list(self._awaited.items()):
                if started < latest_start:
                    context.cancel()


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # how grpc, which has no types, asks for it
    """Export, and one handler for every other method, so that its callers are told what is wrong."""

    def __init__(
        self,
        export: Callable[[Iterator[bytes], grpc.ServicerContext], bytes],
        refuse: Callable[[Iterator[bytes], grpc.ServicerContext], bytes],
    ) -> None:
        self._export = grpc.stream_unary_rpc_method_handler(export)
        self._refuse = grpc.stream_unary_rpc_method_handler(refuse)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """The handler of a method."""
        return self._export if handler_call_details.method == EXPORT else self._refuse


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
