"""Killed again and again on one database file, the server keeps what it acknowledged and nothing that was not sent.

``TRACELITH_KILL_ROUNDS=100`` makes it a long run. Spans are compared one by one, by trace and span id. What this does
not show is a power failure: the kernel outlives the process and keeps what was written but not yet on disk.
"""

import itertools
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import grpc
import numpy as np
import polars as pl

from otlp import BASE_NS, export_request, span
from serving import server_command, server_process

ROUNDS = int(os.environ.get("TRACELITH_KILL_ROUNDS", "3"))
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SENDERS = 8
SPANS_PER_REQUEST = 256
SPANS_PER_TRACE = 8
IDENTITY = ["trace_hi", "trace_lo", "span_id"]
LONGEST_LOAD_S = 1.5


@dataclass
class Traffic:
    """What the senders did, by request number; a request is noted as sent before its first byte leaves."""

    numbers: Iterator[int] = field(default_factory=itertools.count)
    sent: list[int] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)


def span_ids(number: int) -> range:
    """The span ids of one request: no two requests share any."""
    return range(number * SPANS_PER_REQUEST + 1, (number + 1) * SPANS_PER_REQUEST + 1)


def body(number: int) -> bytes:
    now_ns = time.time_ns() - BASE_NS  # older spans would be past their retention
    return export_request(
        span(trace=(number + 1) << 64 | one // SPANS_PER_TRACE + 1, id=one, start_ns=now_ns) for one in span_ids(number)
    )


def identities(requests: Iterable[int]) -> pl.DataFrame:
    """The spans of these requests as they must be stored, computed from the numbers alone."""
    numbers = np.fromiter(requests, np.uint64)
    ids = (numbers[:, None] * SPANS_PER_REQUEST + np.arange(1, SPANS_PER_REQUEST + 1, dtype=np.uint64)).ravel()
    hi = np.repeat(numbers + 1, SPANS_PER_REQUEST)
    return pl.DataFrame({"trace_hi": hi, "trace_lo": ids // SPANS_PER_TRACE + 1, "span_id": ids})


def stored_identities(db: Path) -> pl.DataFrame:
    with duckdb.connect(db) as connection:
        columns = connection.execute(f"SELECT {', '.join(IDENTITY)} FROM span").fetchnumpy()  # noqa: S608  # constants
    return pl.DataFrame({name: np.asarray(columns[name]) for name in IDENTITY})


def send_until_it_dies(address: str, traffic: Traffic) -> None:
    with grpc.insecure_channel(address) as channel:
        export = channel.unary_unary(EXPORT)
        for number in traffic.numbers:
            request = body(number)
            traffic.sent.append(number)
            try:
                export(request, timeout=20)
            except grpc.RpcError:
                return
            traffic.acknowledged.append(number)


def kill_under_load(db: Path, traffic: Traffic) -> float:
    """Returns how many seconds the server took to start."""
    began = time.monotonic()
    with server_process(db) as server:
        start_s = time.monotonic() - began
        senders = [threading.Thread(target=send_until_it_dies, args=(server.grpc, traffic)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(random.uniform(0, LONGEST_LOAD_S) if traffic.acknowledged else LONGEST_LOAD_S)
        server.process.kill()
        server.process.wait(30)
        for sender in senders:
            sender.join(60)
            assert not sender.is_alive()
    return start_s


def kill_during_start(db: Path, start_s: float) -> None:
    """Also taking up what a killed server left may be cut short, at any moment of a start of that length."""
    starting = subprocess.Popen(server_command(db), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.uniform(0, start_s))
    starting.kill()
    starting.wait(30)


def test_what_was_acknowledged_survives_round_after_round_of_kills_and_nothing_is_invented(tmp_path: Path) -> None:
    db = tmp_path / "spans.duckdb"
    traffic = Traffic()
    stored = pl.DataFrame()
    began = time.monotonic()

    for done in range(1, ROUNDS + 1):
        start_s = kill_under_load(db, traffic)
        if done % 3 == 0:
            kill_during_start(db, start_s)

        stored = stored_identities(db)
        sent, acknowledged = identities(traffic.sent), identities(traffic.acknowledged)
        lost = acknowledged.join(stored, on=IDENTITY, how="anti")
        invented = stored.join(sent, on=IDENTITY, how="anti")
        totals = f"sent {sent.height:,}, acknowledged {acknowledged.height:,}, stored {stored.height:,} spans"
        said = f"{done} rounds in {time.monotonic() - began:.0f} s: {totals}"
        assert (lost.height, invented.height) == (0, 0), f"{said}; lost {lost.head()}, invented {invented.head()}"
        assert stored.n_unique() == stored.height, f"{said}; a span that was sent once is stored twice"
        print(said)

    assert traffic.acknowledged
    assert stored.height - identities(traffic.acknowledged).height <= ROUNDS * SENDERS * SPANS_PER_REQUEST
