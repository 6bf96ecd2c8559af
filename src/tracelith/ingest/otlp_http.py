"""OTLP over HTTP: ``POST /v1/traces`` in protobuf or JSON, acknowledged after the commit.

Answers in the encoding of the request. Errors carry a ``google.rpc.Status`` body: 400 for a body that is no
request, 413 over the size limit (also after decompression), 415 for another encoding, 503 with Retry-After when
the queue is full or the commit failed.
"""

import asyncio
import math
import zlib
from collections.abc import AsyncIterator
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

DISCARDED_BODIES = 8
"""A body over the limit is read on for so many limits before its sender is cut off."""

GZIP_WINDOW = zlib.MAX_WBITS | 16


class _TooLarge(Exception):
    """The body exceeds the limit, as sent or once decompressed."""


def create_otlp_app(submit: Submit, *, max_body_bytes: int) -> Starlette:
    """The ASGI application of the receiver.

    Args:
        submit: takes a body and promises its Receipt.
        max_body_bytes: limit for a body, compressed and decompressed alike.
    """

    async def export(request: Request) -> Response:
        try:
            answer = await _receive(request, submit, max_body_bytes)
            if answer.status_code >= HTTPStatus.BAD_REQUEST:
                await _discard_rest(request, DISCARDED_BODIES * max_body_bytes)
        except asyncio.CancelledError:  # the server ends, and this sender is too slow to wait for
            return Response(status_code=503)
        return answer

    return Starlette(routes=[Route("/v1/traces", export, methods=["POST"])])


async def _receive(request: Request, submit: Submit, max_body_bytes: int) -> Response:
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    encoding = ENCODINGS.get(content_type)
    if encoding is None:
        expected = " or ".join(ENCODINGS)
        return _error(415, Code.INVALID_ARGUMENT, f"Content-Type is '{content_type}'; send {expected}", "json")
    try:
        body = await _read_body(request, max_body_bytes)
    except _TooLarge:
        message = f"the body exceeds {max_body_bytes:,} bytes; send smaller batches"
        return _error(413, Code.RESOURCE_EXHAUSTED, message, encoding)
    except InvalidRequest as error:
        return _error(400, Code.INVALID_ARGUMENT, str(error), encoding)
    except ClientDisconnect:
        return Response(status_code=400)
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


async def _read_body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _TooLarge
    content_encoding = request.headers.get("content-encoding", "identity").lower()
    if content_encoding == "gzip":
        return await _gunzip(request.stream(), limit)
    if content_encoding not in ("identity", ""):
        raise InvalidRequest(f"Content-Encoding is '{content_encoding}'; send gzip or none")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _TooLarge
    return bytes(body)


async def _discard_rest(request: Request, limit: int) -> None:
    """Reads on and forgets, so that the sender comes to the answer.

    Whoever still sends when the connection closes sees a reset, which exporters take for a passing fault: they would
    repeat the very same body.
    """
    discarded = 0
    try:
        async for chunk in request.stream():
            discarded += len(chunk)
            if discarded > limit:
                return
    except (ClientDisconnect, RuntimeError):  # Starlette raises the latter when the body was read to its end already
        return


async def _gunzip(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """The decompressed body; stops at the limit, so a bomb costs no more than an honest body."""
    body = bytearray()
    inflate = zlib.decompressobj(GZIP_WINDOW)
    received = 0
    fresh = True  # at the end of a gzip member, where a body may end
    try:
        async for chunk in chunks:
            received += len(chunk)
            rest = chunk
            while rest:
                body += inflate.decompress(rest, limit + 1 - len(body))
                if len(body) > limit or received > limit:
                    raise _TooLarge
                rest = inflate.unconsumed_tail
                if inflate.eof:  # gzip members may follow one another
                    rest, inflate = inflate.unused_data, zlib.decompressobj(GZIP_WINDOW)
                    fresh = not rest
                else:
                    fresh = False
    except zlib.error as error:
        raise InvalidRequest(f"Content-Encoding says gzip, but the body is not: {error}") from error
    if received and not fresh:
        raise InvalidRequest("the gzip body ends too early; was it cut off?")
    return bytes(body)


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
