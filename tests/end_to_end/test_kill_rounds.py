"""Killed again and again on one database file, the server keeps what it acknowledged and nothing that was not sent.

Spans are compared one by one, by trace and span id. Kills come at any moment: while requests are received and
committed, windows analysed, old spans deleted and facts summed up (a part of the traffic is past its retention, and
retention runs at every start), checkpoints written, and while a start takes up what the last kill left. A long run,
with a line per round of what was sent, acknowledged and stored:

    TRACELITH_KILL_ROUNDS=100 .venv/bin/pytest tests/end_to_end/test_kill_rounds.py -s

What this does not show is a power failure: the kernel outlives the process and keeps what was written but not yet on
disk. That every commit is synced before it is acknowledged is seen with strace.
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

from otlp import BASE_NS, EXPORT, export_request, span
from serving import server_command, server_environment, server_process
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.model.schema import WINDOW_NS
from tracelith.store import Store

ROUNDS = int(os.environ.get("TRACELITH_KILL_ROUNDS", "3"))
SENDERS = 8
SPANS_PER_REQUEST = 256
SPANS_PER_TRACE = 8
IDENTITY = ["trace_hi", "trace_lo", "span_id"]
LONGEST_LOAD_S = 1.5
SETTINGS = {"span_days": 7, "fact_days": 400, "quiet_s": 0.1, "analyse_every_s": 0.2}
PAST_NS = 30 * 86_400 * 10**9
PAST_EVERY = 4
"""Every so many requests tell of last month: raw spans past their time, and facts to be summed into hours."""


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
    # Each in a window of its own: one that spans keep coming to would never be quiet, analysed and deleted.
    past_ns = PAST_NS + number * WINDOW_NS if is_past(number) else 0
    start_ns = time.time_ns() - BASE_NS - past_ns
    return export_request(
        span(trace=(number + 1) << 64 | one // SPANS_PER_TRACE + 1, id=one, start_ns=start_ns)
        for one in span_ids(number)
    )


def is_past(number: int) -> bool:
    """Whether the spans of this request may be deleted."""
    return number % PAST_EVERY == 0


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
    with server_process(db, **SETTINGS) as server:
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
    environment = server_environment(**SETTINGS)
    starting = subprocess.Popen(
        server_command(db), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    time.sleep(random.uniform(0, start_s))
    starting.kill()
    starting.wait(30)


def analyse(db: Path) -> None:
    with Store.open(db) as store:
        Engine(store, registered_analyses()).analyse_stale(0.0)


def spans_in_facts(db: Path) -> tuple[int, int]:
    """Spans that the facts tell of since yesterday; and those before, with what came too late for its hour."""
    now_ns = time.time_ns()
    yesterday = now_ns - 86_400 * 10**9
    analyse(db)
    with Store.open(db) as store:
        store.retain(SETTINGS["span_days"], SETTINGS["fact_days"], now_ns)
        fresh, past = (sum(n for _, n in store.environments(*p)) for p in ((yesterday, 2**62), (0, yesterday)))
        return fresh, past + sum(store.refusals().values())


def test_what_was_acknowledged_survives_round_after_round_of_kills_and_nothing_is_invented(tmp_path: Path) -> None:
    db = tmp_path / "spans.duckdb"
    traffic = Traffic()
    stored = pl.DataFrame()
    began = time.monotonic()

    for done in range(1, ROUNDS + 1):
        start_s = kill_under_load(db, traffic)
        if done % 3 == 1:  # servers that live for a second seldom come to it, and only what is analysed is deleted
            analyse(db)
        if done % 3 == 2:
            kill_during_start(db, start_s)

        stored = stored_identities(db)
        sent, acknowledged = identities(traffic.sent), identities(traffic.acknowledged)
        kept = identities(number for number in traffic.acknowledged if not is_past(number))
        lost = kept.join(stored, on=IDENTITY, how="anti")
        invented = stored.join(sent, on=IDENTITY, how="anti")
        totals = f"sent {sent.height:,}, acknowledged {acknowledged.height:,}, stored {stored.height:,} spans"
        deleted = f"{acknowledged.height - kept.height:,} of them past retention"
        said = f"{done} rounds in {time.monotonic() - began:.0f} s: {totals}, {deleted}"
        assert (lost.height, invented.height) == (0, 0), f"{said}; lost {lost.head()}, invented {invented.head()}"
        assert stored.n_unique() == stored.height, f"{said}; a span that was sent once is stored twice"
        print(said)

    past = identities(number for number in traffic.sent if is_past(number))
    fresh = stored.join(past, on=IDENTITY, how="anti").height
    assert traffic.acknowledged
    assert fresh - kept.height <= ROUNDS * SENDERS * SPANS_PER_REQUEST
    if ROUNDS > 9:
        assert stored.height - fresh < acknowledged.height - kept.height, "nothing was deleted: no kill met retention"
    in_facts, past_told = spans_in_facts(db)
    assert in_facts == fresh, "facts tell of other spans than are stored"
    assert acknowledged.height - kept.height <= past_told <= past.height, "deleted without being told of"
