"""Counters as a person reads them."""

from dataclasses import asdict

from tracelith.ingest.status import IngestStatus
from tracelith.present.receiving import counters_in_words


def test_every_counter_of_the_receiver_has_words_and_a_unit() -> None:
    status = IngestStatus(
        accepted_spans=313_198, queued_bytes=3 * 2**20, last_commit_at=1_795_296_307.5, commit_ms=7.98609
    )

    shown = dict(counters_in_words(asdict(status)))

    assert shown["Accepted spans"] == "313,198"
    assert shown["Queued"] == "3 MiB"
    assert shown["Last commit"] == "2026-11-21 21:25:07 UTC"
    assert shown["Commit"] == "7.99 ms"
    assert not [title for title in shown if "_" in title]


def test_what_never_happened_has_no_time() -> None:
    assert dict(counters_in_words({"last_commit_at": None})) == {"Last commit at": "–"}


def test_text_and_unknown_counters_read_as_they_are() -> None:
    shown = dict(counters_in_words({"Spans received": 63_311, "state": "ready\x1b[2J"}))

    assert shown == {"Spans received": "63,311", "State": "ready\ufffd[2J"}
