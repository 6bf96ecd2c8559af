"""An acknowledgement that was lost: the sender sends again, and every metric counts the spans once."""

import socket
import time
from pathlib import Path
from typing import Any

import grpc

from otlp import EXPORT
from serving import application
from tracelith.app import Application
from tracelith.simulate import simulate

PATIENCE_S = 30


def export(app: Application, payload: bytes) -> None:
    with grpc.insecure_channel(app.grpc_address) as channel:
        channel.unary_unary(EXPORT)(payload, timeout=30)


def export_and_hang_up(app: Application, payload: bytes) -> None:
    """Sends the request and goes away before the answer; returns once the spans are stored all the same."""
    stored = app.store.size().spans
    host, port = app.http_address.split(":")
    head = f"POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
    deadline = time.monotonic() + PATIENCE_S
    while app.store.size().spans == stored and time.monotonic() < deadline:
        time.sleep(0.02)
    assert app.store.size().spans > stored


def document(app: Application) -> dict[str, Any]:
    app.engine.analyse_stale(0.0)
    period = app.store.period()
    assert period is not None
    return dict(app.engine.conclude(None, *period))


def test_spans_sent_again_change_nothing_but_the_count_of_duplicates(tmp_path: Path) -> None:
    batches = [batch.payload for batch in simulate("login", weeks=1, traces=600).batches()]
    twice = len(batches) // 2
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()

    with application(tmp_path / "once") as app:
        for payload in batches:
            export(app, payload)
        once = document(app)
        environments_once = app.store.environments(0, 2**62)
        spans = app.store.size().spans

    with application(tmp_path / "again") as app:
        for payload in batches[:twice]:
            export_and_hang_up(app, payload)
            export(app, payload)  # into a later commit of windows not analysed yet
        for payload in batches[twice:]:
            export(app, payload)
        document(app)
        for payload in batches:  # after they were analysed
            export(app, payload)
        again = document(app)
        environments_again = app.store.environments(0, 2**62)
        stored = app.store.size().spans

    assert once["entry_operations"]
    assert once["tail"]
    assert stored > 2 * spans
    assert again["quality"].pop("duplicate_spans") == stored - spans
    assert once["quality"].pop("duplicate_spans") == 0
    told = [defect for defect in again["quality"]["defects"] if defect["name"] == "duplicate_spans"]
    again["quality"]["defects"].remove(*told)
    for part in once.keys() - {"generated_at"}:
        assert again[part] == once[part], part
    assert environments_again == environments_once
