"""An acknowledgement means durable: the committer under success, refusal, overload, failure and stop."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import wait
from pathlib import Path

import polars as pl
import pytest

from otlp import export_request, span
from tracelith.ingest import commit
from tracelith.ingest.commit import GroupCommitter, Receipt
from tracelith.ingest.decode import DecodedRequests
from tracelith.model.errors import InvalidRequest, Overloaded, StoreError
from tracelith.model.schema import InternedBatch, UnusedTexts
from tracelith.store import Store

TIMEOUT_S = 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "spans.duckdb") as opened:
        yield opened


@pytest.fixture
def committer(store: Store) -> Iterator[GroupCommitter]:
    running = GroupCommitter(store)
    yield running
    running.stop()


class GatedSink:
    """A real store whose commits wait for a gate and fail while told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.gate = threading.Event()
        self.failing = False
        self.poison = 0  # id of a span that nobody foresaw

    def append(self, batches: Sequence[InternedBatch]) -> int:
        assert self.gate.wait(TIMEOUT_S)
        if self.failing:
            raise StoreError("no space left on device")
        if any((batch.spans["span_id"] == self.poison).any() for batch in batches):
            raise RuntimeError("unforeseen")
        return self.store.append(batches)

    def resources(self) -> pl.DataFrame:
        return self.store.resources()

    def operations(self) -> pl.DataFrame:
        return self.store.operations()

    def drop_unused_texts(self) -> UnusedTexts | None:
        return self.store.drop_unused_texts()

    def record_refusals(self, reasons: Mapping[str, int]) -> None:
        self.store.record_refusals(reasons)


def stored_span_ids(path: Path) -> set[int]:
    import duckdb

    with duckdb.connect(path) as connection:
        return {row[0] for row in connection.execute("SELECT span_id FROM span").fetchall()}


def test_a_receipt_is_given_only_when_the_spans_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "spans.duckdb"
    with Store.open(path) as store:
        committer = GroupCommitter(store)

        receipts = [
            committer.submit(export_request([span(trace=1, id=n)]), "protobuf").result(TIMEOUT_S) for n in (1, 2, 3)
        ]

        committer.stop()

    assert receipts == [Receipt(accepted=1, rejected=0, reason="")] * 3
    assert stored_span_ids(path) == {1, 2, 3}


def test_an_invalid_request_fails_alone_among_its_neighbours(committer: GroupCommitter) -> None:
    bodies = [export_request([span(trace=1, id=1)]), b"\xff\xff\xff garbage", export_request([span(trace=1, id=2)])]

    promises = [committer.submit(body, "protobuf") for body in bodies]
    wait(promises, TIMEOUT_S)

    assert promises[0].result().accepted == promises[2].result().accepted == 1
    assert isinstance(promises[1].exception(), InvalidRequest)
    assert committer.status().invalid_requests == 1


def test_a_refused_span_is_counted_and_named_to_its_sender(committer: GroupCommitter) -> None:
    body = export_request([span(trace=1, id=1), span(trace=0, id=2)])

    receipt = committer.submit(body, "protobuf").result(TIMEOUT_S)

    assert (receipt.accepted, receipt.rejected) == (1, 1)
    assert "trace" in receipt.reason
    assert committer.status().rejected_spans == 1


def test_a_full_queue_refuses_at_once_and_says_when_to_return(store: Store) -> None:
    sink = GatedSink(store)
    body = export_request([span(trace=1, id=1)])
    committer = GroupCommitter(sink, max_queued_bytes=2 * len(body))

    taken = [committer.submit(body, "protobuf") for _ in range(2)]
    with pytest.raises(Overloaded) as overload:
        committer.submit(body, "protobuf")
    sink.gate.set()

    assert overload.value.retry_after_s > 0
    assert all(promise.result(TIMEOUT_S).accepted == 1 for promise in taken)
    assert committer.status().queued_bytes == 0
    committer.stop()


def test_many_requests_share_one_commit_under_load(store: Store) -> None:
    sink = GatedSink(store)
    committer = GroupCommitter(sink)

    promises = [committer.submit(export_request([span(trace=1, id=n)]), "protobuf") for n in range(1, 101)]
    sink.gate.set()
    wait(promises, TIMEOUT_S)

    assert sum(promise.result().accepted for promise in promises) == 100
    assert committer.status().commits < 20
    committer.stop()


def test_a_request_that_brings_a_defect_about_fails_alone(store: Store) -> None:
    sink = GatedSink(store)
    sink.poison = 5
    committer = GroupCommitter(sink)

    promises = [committer.submit(export_request([span(trace=1, id=n)]), "protobuf") for n in range(1, 11)]
    sink.gate.set()
    wait(promises, TIMEOUT_S)

    assert [n for n, promise in enumerate(promises, start=1) if promise.exception()] == [5]
    assert isinstance(promises[4].exception(), RuntimeError)
    assert committer.status().accepted_spans == 9
    assert committer.status().queued_bytes == 0
    committer.stop()


def test_after_a_failed_commit_the_same_body_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "spans.duckdb"
    body = export_request([span(trace=1, id=1)])
    with Store.open(path) as store:
        sink = GatedSink(store)
        sink.gate.set()
        sink.failing = True
        committer = GroupCommitter(sink)

        failed = committer.submit(body, "protobuf").exception(TIMEOUT_S)
        sink.failing = False
        receipt = committer.submit(body, "protobuf").result(TIMEOUT_S)

        committer.stop()
        codes = set(store.resources()["resource"]), set(store.operations()["operation"])

    assert isinstance(failed, StoreError)
    assert receipt.accepted == 1
    assert stored_span_ids(path) == {1}
    assert all(len(kind) == 1 for kind in codes), (
        "the dimension rows of the failed commit are stored once, by the retry"
    )


def test_stopping_commits_what_was_admitted_and_admits_no_more(store: Store) -> None:
    sink = GatedSink(store)
    committer = GroupCommitter(sink)
    promises = [committer.submit(export_request([span(trace=1, id=n)]), "protobuf") for n in range(1, 11)]

    threading.Timer(0.2, sink.gate.set).start()
    stopped = committer.stop(TIMEOUT_S)

    assert stopped
    assert all(promise.result(0).accepted == 1 for promise in promises)
    with pytest.raises(Overloaded, match="shutting down"):
        committer.submit(export_request([span(trace=1, id=99)]), "protobuf")


class Panic(BaseException):
    """What native code raises when it panics: no Exception."""


def test_a_panic_of_native_code_costs_its_request_only(
    committer: GroupCommitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = export_request([span(trace=1, id=66)])
    decode = commit.decode_requests

    def decode_or_panic(bodies: list[bytes], *, keep_attributes: bool) -> DecodedRequests:
        if poison in bodies:
            raise Panic("a defect of a library")
        return decode(bodies, keep_attributes=keep_attributes)

    monkeypatch.setattr(commit, "decode_requests", decode_or_panic)
    bodies = [b"{", export_request([span(trace=1, id=1)]), poison, export_request([span(trace=1, id=2)])]
    promises = [committer.submit(body, "json" if body == b"{" else "protobuf") for body in bodies]
    wait(promises, TIMEOUT_S)

    assert isinstance(promises[0].exception(0), InvalidRequest)
    assert isinstance(promises[2].exception(0), RuntimeError)
    assert promises[1].result(0).accepted == promises[3].result(0).accepted == 1


def test_a_panic_while_storing_is_a_failed_commit_and_not_the_end(store: Store) -> None:
    class PanickingOnce(GatedSink):
        panicked = False

        def append(self, batches: Sequence[InternedBatch]) -> int:
            if not self.panicked:
                self.panicked = True
                raise Panic("a defect of a library")
            return self.store.append(batches)

    committer = GroupCommitter(PanickingOnce(store))

    first = committer.submit(export_request([span(trace=1, id=1)]), "protobuf").exception(TIMEOUT_S)
    second = committer.submit(export_request([span(trace=1, id=1)]), "protobuf").result(TIMEOUT_S)
    committer.stop()

    assert isinstance(first, RuntimeError)
    assert second.accepted == 1
