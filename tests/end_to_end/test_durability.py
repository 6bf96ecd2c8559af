"""Nothing acknowledged is lost, whatever happens to the process."""

import itertools
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import grpc
import pytest

from otlp import EXPORT, export_request, span
from serving import server_process

SPANS_PER_REQUEST = 50


def send_until_it_dies(address: str, acknowledged: set[int], stop: threading.Event) -> None:
    """Exports requests with fresh span ids one after another; remembers the ids of those acknowledged."""
    ids = random.Random()
    with grpc.insecure_channel(address) as channel:
        export = channel.unary_unary(EXPORT)
        while not stop.is_set():
            sent = [ids.getrandbits(63) + 1 for _ in range(SPANS_PER_REQUEST)]
            try:
                export(export_request([span(trace=1 + one, id=one) for one in sent]), timeout=10)
            except grpc.RpcError:
                return
            acknowledged.update(sent)


def stored_span_ids(db: Path) -> list[int]:
    with duckdb.connect(db) as connection:
        return [row[0] for row in connection.execute("SELECT span_id FROM span").fetchall()]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_every_acknowledged_span_is_there_after_the_process_ended(tmp_path: Path, how: signal.Signals) -> None:
    db = tmp_path / "spans.duckdb"
    acknowledged: set[int] = set()
    stop = threading.Event()
    with server_process(db) as server:
        senders = [
            threading.Thread(target=send_until_it_dies, args=(server.grpc, acknowledged, stop)) for _ in range(4)
        ]
        for sender in senders:
            sender.start()

        time.sleep(random.uniform(0.5, 1.5))
        server.process.send_signal(how)
        server.process.wait(30)
        stop.set()
        for sender in senders:
            sender.join(30)

    stored = stored_span_ids(db)
    assert acknowledged
    assert acknowledged <= set(stored)
    assert len(stored) - len(acknowledged) <= len(senders) * SPANS_PER_REQUEST, "only requests in flight may be extra"


def export_until_refused(address: str, outcomes: list[tuple[int, str]], numbers: Iterator[int]) -> None:
    """Exports one request after another, each of one trace; notes what each was answered until one was refused."""
    with grpc.insecure_channel(address) as channel:
        export = channel.unary_unary(EXPORT)
        for number in numbers:
            spans = [span(trace=number, id=number * SPANS_PER_REQUEST + one) for one in range(SPANS_PER_REQUEST)]
            try:
                export(export_request(spans), timeout=30)
            except grpc.RpcError as error:
                outcomes.append((number, error.code().name))
                return
            outcomes.append((number, "OK"))


def test_a_stop_commits_and_answers_all_that_was_admitted_and_turns_the_rest_away(tmp_path: Path) -> None:
    db = tmp_path / "spans.duckdb"
    outcomes: list[tuple[int, str]] = []
    numbers = itertools.count(1)
    with server_process(db) as server:
        senders = [
            threading.Thread(target=export_until_refused, args=(server.grpc, outcomes, numbers)) for _ in range(16)
        ]
        for sender in senders:
            sender.start()
        time.sleep(random.uniform(0.5, 1.5))

        began = time.monotonic()
        server.process.terminate()
        code = server.process.wait(60)
        took_s = time.monotonic() - began
        for sender in senders:
            sender.join(60)

    answers = {answer for _, answer in outcomes}
    acknowledged = {number for number, answer in outcomes if answer == "OK"}
    stored = {one // SPANS_PER_REQUEST for one in stored_span_ids(db)}
    assert code == 0
    assert took_s < 30, "deploy/ promises to kill it after that time"
    assert answers == {"OK", "UNAVAILABLE"}, answers
    assert stored == acknowledged


def test_a_server_starts_again_on_the_file_a_killed_one_left(tmp_path: Path) -> None:
    db = tmp_path / "spans.duckdb"
    with server_process(db) as server, grpc.insecure_channel(server.grpc) as channel:
        channel.unary_unary(EXPORT)(export_request([span(trace=1, id=1)]), timeout=10)
        server.process.kill()
        server.process.wait(10)

    with server_process(db) as server, grpc.insecure_channel(server.grpc) as channel:
        channel.unary_unary(EXPORT)(export_request([span(trace=1, id=2)]), timeout=10)
        server.process.kill()
        server.process.wait(10)

    assert sorted(stored_span_ids(db)) == [1, 2]
