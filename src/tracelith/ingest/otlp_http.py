"""OTLP over HTTP: ``POST /v1/traces`` in protobuf or JSON, acknowledged after the commit.

Answers in the encoding of the request. Errors carry a ``google.rpc.Status`` body: 400 for a body that is no
request, 408 for one that takes too long, 413 over the size limit (also after decompression), 415 for another
encoding, 503 with Retry-After when the queue is full or the commit failed.

What senders can make it hold is bounded: each body by its size and its time, and all that are still on their way
together by MAX_RECEIVING_BYTES, for there may be hundreds of connections.
"""

import asyncio
import math
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tracelith.ingest.commit import Encoding
from tracelith.ingest.otlp_grpc import ACKNOWLEDGE_TIMEOUT_S, Submit, export_response
from tracelith.model.errors import InvalidRequest, Overloaded, StoreError

__all__ = ["create_otlp_app"]

ENCODINGS: dict[str, Encoding] = {"application/x-protobuf": "protobuf", "application/json": "json"}
MEDIA_TYPES = {encoding: media_type for media_type, encoding in ENCODINGS.items()}

RECEIVE_TIMEOUT_S = 30.0
"""For a body to come, and for what is left of a refused one; exporters give up on a request after 10 s by default."""

MAX_RECEIVING_BYTES = 128 << 20
"""Of bodies on their way, decompressed; at least two that are as large as one may be."""

DISCARDED_BODIES = 8
"""A body over the limit is read on for so many limits before its sender is cut off."""

CLIENT_CLOSED_REQUEST = 499
"""As nginx calls it; no standard has a status for it."""

GZIP_WINDOW = zlib.MAX_WBITS | 16
PIECE_BYTES = 1 << 20
"""Decompressed at a time; other connections wait meanwhile, a millisecond or two."""


class _Refused(Exception):
    """A request that is not taken, whatever is in it."""

    def __init__(self, http_status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code


@dataclass(slots=True)
class _Receiving:
    """Bytes of all bodies on their way. Of one event loop, so without a lock."""

    max_body_bytes: int
    total: int = 0

    def add(self, size: int) -> None:
        """Counts further bytes, of which the caller takes leave in the end.

        Raises:
            Overloaded: they are too many together; they are counted all the same.
        """
        self.total += size
        if self.total > max(MAX_RECEIVING_BYTES, 2 * self.max_body_bytes):
            raise Overloaded(f"{self.total:,} bytes are being received; send again later", retry_after_s=1.0)


def create_otlp_app(submit: Submit, *, max_body_bytes: int) -> Starlette:
    """The ASGI application of the receiver.

    Args:
        submit: takes a body and promises its Receipt.
        max_body_bytes: limit for a body, compressed and decompressed alike.
    """

    receiving = _Receiving(max_body_bytes)

    async def export(request: Request) -> Response:
        try:
            answer = await _receive(request, submit, receiving)
            refused = answer.status_code >= HTTPStatus.BAD_REQUEST
            if refused and not await _discard_rest(request, answer, max_body_bytes):
                answer.headers["Connection"] = "close"
        except asyncio.CancelledError:  # the server ends, and this sender is too slow to wait for
            return Response(status_code=503)
        return answer

    routes = [Route("/v1/traces", export, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_allowed})


def _not_found(request: Request, _: Exception) -> Response:
    return _error(404, Code.NOT_FOUND, "Tracelith takes traces only, by POST to /v1/traces", _encoding(request))


def _not_allowed(request: Request, _: Exception) -> Response:
    answer = _error(405, Code.UNIMPLEMENTED, "send traces by POST", _encoding(request))
    answer.headers["Allow"] = "POST"
    return answer


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _encoding(request: Request) -> Encoding:
    """How to answer: as was asked, and in JSON whom we do not understand."""
    return ENCODINGS.get(_media_type(request), "json")


async def _receive(request: Request, submit: Submit, receiving: _Receiving) -> Response:
    encoding = _encoding(request)
    try:
        async with asyncio.timeout(RECEIVE_TIMEOUT_S):
            body = await _read_body(request, receiving)
    except _Refused as refused:
        return _error(refused.http_status, refused.code, str(refused), encoding)
    except Overloaded as error:
        return _error(503, Code.UNAVAILABLE, str(error), encoding, retry_after_s=error.retry_after_s)
    except TimeoutError:
        message = f"the body did not come within {RECEIVE_TIMEOUT_S:.0f} s; send smaller batches"
        return _error(408, Code.DEADLINE_EXCEEDED, message, encoding)
    except ClientDisconnect:  # nobody hears this; it is counted, and no defect of what was sent
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return await _acknowledge(submit, body, encoding)


async def _acknowledge(submit: Submit, body: bytes, encoding: Encoding) -> Response:
    try:
        promise = asyncio.wrap_future(submit(body, encoding))
        receipt = await asyncio.wait_for(promise, ACKNOWLEDGE_TIMEOUT_S)
    except InvalidRequest as error:
        return _error(400, Code.INVALID_ARGUMENT, str(error), encoding)
    except Overloaded as error:
        return _error(503, Code.UNAVAILABLE, str(error), encoding, retry_after_s=error.retry_after_s)
    except (StoreError, TimeoutError) as error:
        return _error(503, Code.UNAVAILABLE, f"not stored, send again: {error}", encoding, retry_after_s=5.0)
    except Exception as error:  # a defect of ours: the sender must learn that this body was not stored
        return _error(500, Code.INTERNAL, f"not stored: {type(error).__name__}", encoding)
    return _answer(200, export_response(receipt), encoding)


async def _read_body(request: Request, receiving: _Receiving) -> bytes:
    if _media_type(request) not in ENCODINGS:
        raise _Refused(415, Code.INVALID_ARGUMENT, f"Content-Type must be {' or '.join(ENCODINGS)}")
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("gzip", "identity", ""):
        raise _Refused(415, Code.INVALID_ARGUMENT, "Content-Encoding must be gzip or none")
    limit = receiving.max_body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async for chunk in _gunzip(request.stream(), limit) if coding == "gzip" else request.stream():
            body += chunk
            receiving.add(len(chunk))
            if len(body) > limit:
                raise _too_large(limit)
        return bytes(body)
    finally:
        receiving.total -= len(body)


def _too_large(limit: int) -> _Refused:
    return _Refused(413, Code.RESOURCE_EXHAUSTED, f"the body exceeds {limit:,} bytes; send smaller batches")


async def _discard_rest(request: Request, answer: Response, max_body_bytes: int) -> bool:
    """Reads on and forgets, so that the sender comes to the answer; False if it does not come to an end.

    Whoever still sends when the connection closes sees a reset, which exporters take for a passing fault: they would
    repeat the very same body. Who asks before sending (``Expect: 100-continue``) has nothing to be rid of.
    """
    if answer.status_code == HTTPStatus.REQUEST_TIMEOUT or "expect" in request.headers:
        return False
    discarded = 0
    try:
        async with asyncio.timeout(RECEIVE_TIMEOUT_S):
            async for chunk in request.stream():
                discarded += len(chunk)
                if discarded > DISCARDED_BODIES * max_body_bytes:
                    return False
    except TimeoutError:
        return False
    except (ClientDisconnect, RuntimeError):  # Starlette raises the latter when the body was read to its end already
        return True
    return True


async def _gunzip(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The decompressed body in pieces, so that a bomb costs no more than an honest body."""
    inflate = zlib.decompressobj(GZIP_WINDOW)
    received = 0
    fresh = True  # at the end of a gzip member, where a body may end
    try:
        async for chunk in chunks:
            received += len(chunk)
            if received > limit:  # of members that hold nothing, for example
                raise _too_large(limit)
            rest = chunk
            while rest:
                yield inflate.decompress(rest, PIECE_BYTES)
                if rest := inflate.unconsumed_tail:
                    await asyncio.sleep(0)  # it is the turn of others
                if inflate.eof:  # gzip members may follow one another
                    rest, inflate = inflate.unused_data, zlib.decompressobj(GZIP_WINDOW)
                    fresh = not rest
                else:
                    fresh = False
    except zlib.error as error:
        message = f"Content-Encoding says gzip, but the body is not: {error}"
        raise _Refused(400, Code.INVALID_ARGUMENT, message) from error
    if not fresh:
        raise _Refused(400, Code.INVALID_ARGUMENT, "the gzip body ends too early; was it cut off?")


def _answer(http_status: int, message: Message, encoding: Encoding, headers: dict[str, str] | None = None) -> Response:
    if encoding == "json":
        content = json_format.MessageToJson(message, indent=None).encode()
    else:
        content = message.SerializeToString()
    return Response(content, http_status, headers, media_type=MEDIA_TYPES[encoding])


def _error(
    http_status: int, code: int, message: str, encoding: Encoding, *, retry_after_s: float | None = None
) -> Response:
    headers = None if retry_after_s is None else {"Retry-After": str(math.ceil(retry_after_s))}
    return _answer(http_status, Status(code=code, message=message), encoding, headers)
