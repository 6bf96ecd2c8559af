"""How a command reaches the server that owns the database file.

DuckDB lets one process open a file. A running server therefore leaves a note beside it, ``<db>.server``, with its
address; commands that find the file taken read the note and ask the server instead.
"""

import json
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracelith.app import server_note
from tracelith.model.errors import InputError, StoreError, StoreLocked

__all__ = ["RunningServer", "find_server", "refuse_declarations"]

TIMEOUT_S = 120.0

BUSY_FOR_S = 120.0
"""How long spans wait at the door of a server whose queue is full."""


class RunningServer:
    """The HTTP side of a running ``tracelith serve``."""

    def __init__(self, web: str, http: str) -> None:
        self._web = web
        self._http = http

    def get(self, path: str, **query: str | None) -> Any:
        """The JSON answer to a GET on the dashboard's address."""
        given = {key: value for key, value in query.items() if value is not None}
        return json.loads(self._ask(urllib.request.Request(f"http://{self._web}{path}?{urlencode(given)}")))

    def post_json(self, path: str, body: Any) -> Any:
        """The JSON answer to a POST on the dashboard's address."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self._web}{path}", json.dumps(body).encode(), headers)
        return json.loads(self._ask(request))

    def export(self, body: bytes) -> tuple[int, str]:
        """Hands spans to the receiver; returns once they are durable. Waits while the server's queue is full.

        Returns:
            How many of them the server refused, and why.
        """
        headers = {"Content-Type": "application/x-protobuf"}
        request = urllib.request.Request(f"http://{self._http}/v1/traces", body, headers)
        give_up_at = time.monotonic() + BUSY_FOR_S
        while True:
            try:
                answer = ExportTraceServiceResponse.FromString(self._ask(request))
            except _Busy as busy:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(busy.retry_after_s)
            else:
                return answer.partial_success.rejected_spans, answer.partial_success.error_message

    def _ask(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - our own server
                content: bytes = answer.read()
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:500]
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise _Busy(f"the server at {request.host} is busy: {detail}", _seconds(error)) from error
            raise InputError(f"the server at {request.host} answered {error.code}: {detail}") from error
        except OSError as error:
            raise StoreError(
                f"another process owns the database, but the server it noted at {request.host} does not answer: {error}"
            ) from error
        return content


class _Busy(StoreError):
    """The server asked to come again later."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def _seconds(error: urllib.error.HTTPError) -> float:
    stated = error.headers.get("Retry-After", "")
    return float(stated) if stated.isdigit() else 1.0


def find_server(db: Path, locked: StoreLocked) -> RunningServer:
    """The server that owns the file.

    Raises:
        StoreLocked: the error given, when no server left a note.
    """
    try:
        note = json.loads(server_note(db).read_text(encoding="utf-8"))
        return RunningServer(note["web"], note["http"])
    except (OSError, ValueError, KeyError):
        raise locked from None


def refuse_declarations(db: Path, declarations: Path | None) -> None:
    """Says that a server answers with its own declarations, if others were given.

    Raises:
        InputError: there are some.
    """
    if declarations is not None:
        raise InputError(
            f"a server owns {db} and answers with the declarations it was started with; leave --declarations out, "
            f"or start the server with --declarations {declarations}"
        )
