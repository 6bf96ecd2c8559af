"""How receiving goes, as a person reads it."""

from dataclasses import replace

import pytest

from tracelith.ingest.limits import Cardinality
from tracelith.ingest.status import LATENCY_BOUNDS_S, IngestStatus, Latencies, RecentIngest, RefusedSpans
from tracelith.present.receiving import Retention, ingest_page
from tracelith.store import StoreSize, WaitingWindows
from website import receiving_site

NOBODY = Latencies((0,) * (len(LATENCY_BOUNDS_S) + 1), 0.0)
NEWBORN = {
    "started_at": 1_772_409_599.8,
    "status": IngestStatus(max_queued_bytes=64 << 20),
    "minute": RecentIngest(0.2, 0, NOBODY),
    "hour": RecentIngest(0.2, 0, NOBODY),
    "latencies": NOBODY,
    "spans_by_minute": (),
    "refused": (),
    "database": StoreSize(bytes=12_288, used_bytes=12_288, spans=0),
    "http_answers": {},
    "grpc_answers": {},
    "cardinality": Cardinality(0, 0, {}),
    "waiting": WaitingWindows(0, None),
    "retention": Retention(7.0, 400.0),
}


def facts(page: dict, part: str) -> dict[str, str]:
    return {fact.title: fact.value for fact in page[part]}


def notes(page: dict, part: str) -> dict[str, str]:
    return {fact.title: fact.note for fact in page[part]}


def test_every_figure_has_its_unit_and_says_since_when() -> None:
    page = ingest_page(receiving_site())

    receiver, storage = facts(page, "receiver"), facts(page, "storage")
    assert receiver["Spans accepted"] == "5,540,000"
    assert receiver["Queue"] == "3 MiB of 64 MiB"
    assert receiver["Last commit"] == "2026-03-01 23:59:59 UTC"
    assert notes(page, "receiver")["Last commit"] == "512 spans in 7.99 ms"
    assert notes(page, "receiver")["Spans accepted"] == "since 2026-03-01 22:00:00 UTC"
    assert storage["Database"] == "210 MiB"
    assert storage["Size per span"] == "36 bytes"
    assert storage["Growth"] == "2.23 GiB a day"
    assert storage["Windows to analyse"] == "2"
    assert page["anything"]
    assert page["concerns"] == []


def test_pace_compares_the_last_minute_with_the_hour_and_all_time() -> None:
    table = ingest_page(receiving_site())["pace"]

    rows = {title: values for title, *values in table.rows}
    assert rows["Spans accepted per second"] == ["783", "769", "769"]
    assert rows["Half of them within"] == ["23 ms", "23 ms", "23 ms"]
    assert rows["99 % of them within"] == ["45 ms", "45 ms", "45 ms"]


def test_the_last_hour_is_drawn_said_and_tabulated_alike() -> None:
    drawing, sentence, table = ingest_page(receiving_site(spans_by_minute=(600, 0, 1_200)))["by_minute"]

    assert str(drawing).count('class="bar"') == 2
    assert str(drawing).count('class="empty"') == 1
    assert sentence.startswith("Highest 20, lowest 0 spans per second; 3 of 60 minutes")
    assert table.rows == (("1", "20"), ("2", "0"), ("3", "10"))


def test_a_server_that_has_just_started_claims_nothing() -> None:
    page = ingest_page(receiving_site(**NEWBORN))

    assert not page["anything"]
    assert {value for _, *values in page["pace"].rows for value in values} == {"–", "0"}
    assert facts(page, "receiver")["Last commit"] == "–"
    assert facts(page, "storage")["Size per span"] == "–"
    assert facts(page, "storage")["Growth"] == "–"
    assert page["refusals"].rows == ()
    assert page["concerns"] == []


def test_what_cannot_be_read_is_missing_and_not_zero() -> None:
    page = ingest_page(receiving_site(database=None, problem="db: the disk is full"))

    storage = facts(page, "storage")
    for title in ("Database", "Raw spans kept", "Size per span", "Growth"):
        assert storage[title] == "–"
    assert page["concerns"] == ["No spans are taken: db: the disk is full"]


@pytest.mark.parametrize(
    ("moment", "said"), [("last_overload_at", "The queue was full"), ("last_failure_at", "A commit failed")]
)
def test_what_went_wrong_a_moment_ago_is_a_concern_and_what_is_long_past_is_a_figure(moment: str, said: str) -> None:
    usual = receiving_site()

    recent = replace(usual, status=replace(usual.status, **{moment: usual.at - 60}))
    past = replace(usual, status=replace(usual.status, **{moment: usual.at - 6_000}))

    assert [concern for concern in ingest_page(recent)["concerns"] if concern.startswith(said)]
    assert ingest_page(past)["concerns"] == []


def test_retention_says_what_is_kept_and_what_was_deleted_and_why() -> None:
    page = ingest_page(receiving_site())
    unlimited = ingest_page(receiving_site(retention=Retention(7.0, 400.0)))
    stuck = ingest_page(receiving_site(retention=Retention(7.0, 400.0, 10**9, held_back="all that is left is facts")))

    assert facts(page, "storage")["Raw spans deleted"] == "100,000"
    assert "81,000 for their age, 19,000 for space" in notes(page, "storage")["Raw spans deleted"]
    assert notes(page, "storage")["Raw spans kept"] == "for 7 days, and below 18.6 GiB in all; facts for 400 days"
    assert notes(unlimited, "storage")["Raw spans kept"] == "for 7 days; facts for 400 days"
    assert notes(unlimited, "storage")["Raw spans deleted"] == "0 for their age; no look yet"
    assert stuck["concerns"] == ["The database is larger than it should be: all that is left is facts."]


def test_senders_turned_away_are_told_apart_and_success_is_not_among_them() -> None:
    over_http, over_grpc = {200: 9_000, 413: 4, 418: 1, 499: 2}, {"OK": 5_000, "RESOURCE_EXHAUSTED": 7}

    table = ingest_page(receiving_site(http_answers=over_http, grpc_answers=over_grpc))["turned_away"]

    assert [(status, answers) for status, answers, _ in table.rows] == [
        ("gRPC RESOURCE_EXHAUSTED", "7"),
        ("HTTP 413", "4"),
        ("HTTP 418", "1"),
        ("HTTP 499", "2"),
    ]
    assert "smaller batches" in table.rows[0][2]
    assert "broke off" in table.rows[3][2]


def test_a_flood_of_names_is_a_concern_that_names_its_services() -> None:
    flood = Cardinality(99_000, 96, {("shop", "span names"): 70, ("auth\x1b", "versions"): 7_000})

    page = ingest_page(receiving_site(cardinality=flood))

    assert page["concerns"][0].startswith("More different versions and span names arrive than are kept apart")
    assert page["folded"].rows == (("auth\ufffd", "versions", "7,000"), ("shop", "span names", "70"))
    assert facts(page, "cardinality")["Operations known"] == "99,000"


def test_a_latency_beyond_all_buckets_is_no_number() -> None:
    slow = Latencies((*NOBODY.counts[:-1], 5), 400.0)

    rows = ingest_page(receiving_site(minute=RecentIngest(60.0, 1, slow)))["pace"].rows

    assert rows[2][1] == rows[3][1] == "over a minute"


def test_reasons_are_shown_without_what_could_move_a_cursor() -> None:
    table = ingest_page(receiving_site(refused=(RefusedSpans("bad \x1b[2J", 3, 0.0, 60.0),)))["refusals"]

    assert table.rows == (("bad \ufffd[2J", "3", "1970-01-01 00:00:00 UTC", "1970-01-01 00:01:00 UTC"),)
