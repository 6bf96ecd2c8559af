"""What stands for many, because a service brought too many texts, is said and never concluded from."""

from typing import Any

import polars as pl

from analysis.pipelines import document_of, over_windows
from analysis.test_deployment_events import events_of, reasons, short, sightings
from analysis.test_tail_findings import spiky_at
from tracelith.analysis.deployments.version_sightings import Ignored
from tracelith.analysis.quality.folded_texts import CONSEQUENCES
from tracelith.ingest.limits import GROUPS
from tracelith.present.answers import topic_of
from traces import window_of

FLOODED_NAMES = """
    shop SERVER (other) 0..900ms
      shop CLIENT price 10..800ms
        price SERVER GET /price 12..700ms
          price CLIENT stock 20..600ms
            stock SERVER GET /stock 30..500ms
              stock CLIENT depot 40..400ms
                depot SERVER GET /depot 50..300ms

    shop SERVER GET /checkout 0..90ms
"""

FLOODED_SERVICES = """
    shop SERVER GET /cart 0..90ms
      shop CLIENT tenant 10..80ms
        (other) SERVER GET /a 12..70ms
          (other) CLIENT b 20..60ms
            (other) SERVER GET /b 22..50ms
"""


def _by_operation(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["operation"]: row for row in rows}


def _about_requests(document: dict[str, Any]) -> list[str]:
    """Rules of the findings about entry operations; services may be told of whatever their requests are called."""
    rules = [finding["rule"] for finding in document["findings"]]
    return [rule for rule in rules if topic_of(rule) in {"chains", "tail"}]


def test_operations_beyond_the_limit_are_no_entry_operation_that_anything_is_said_of() -> None:
    document = document_of(over_windows(FLOODED_NAMES, copies=80, windows=5))

    entries = _by_operation(document["entry_operations"])
    assert list(entries)[-1] == "(other)"
    assert entries["(other)"]["status"] == "not_identifiable"
    assert entries["(other)"]["depth"]["p95"]["value"] is None
    assert entries["(other)"]["depth"]["band"] == "unknown"
    assert entries["(other)"]["latency_ms"]["p99"]["value"] is None
    assert entries["GET /checkout"]["status"] == "ok"
    assert _by_operation(document["tail"])["(other)"]["status"] == "not_identifiable"
    assert not any("(other)" in subject for finding in document["findings"] for subject in finding["subjects"])
    assert not _about_requests(document)


def test_the_same_requests_under_their_own_name_are_a_deep_chain() -> None:
    document = document_of(over_windows(FLOODED_NAMES.replace("(other)", "GET /buy"), copies=80, windows=5))

    assert _about_requests(document) == ["deep-synchronous-chain"]


def test_traces_with_services_beyond_the_limit_are_not_complete() -> None:
    document = document_of(FLOODED_SERVICES, copies=30)

    quality = document["quality"]
    assert (quality["traces"], quality["complete_traces"]) == (30, 0)
    assert quality["defects"][0]["name"] == "folded_service_traces"
    assert document["entry_operations"] == []


def test_quality_says_which_service_brought_too_much_and_of_what() -> None:
    one = window_of("""
        shop SERVER (other) 0..90ms version=(other) instance=(other) host=(other)
          shop CLIENT call 10..80ms db=postgresql namespace=(other) group=(other)
        fine SERVER GET /x 0..9ms
    """)

    folded = document_of(one)["quality"]["folded"]

    assert [(row["service"], row["texts"], row["spans"], row["share"]) for row in folded] == [
        ("shop", "consumer groups", 1, 0.5),
        ("shop", "destinations", 1, 0.5),
        ("shop", "instances", 1, 0.5),
        ("shop", "span names", 1, 0.5),
        ("shop", "versions", 1, 0.5),
    ]
    assert all(row["consequence"] and row["remedy"] for row in folded)


def test_statements_that_were_not_read_are_said_to_hide_their_tables() -> None:
    one = """
        shop SERVER GET /x 0..90ms
          shop CLIENT call 10..80ms db=postgresql statement=(other)
    """

    (folded,) = document_of(one)["quality"]["folded"]

    assert (folded["service"], folded["texts"], folded["spans"]) == ("shop", "statements", 1)
    assert "Tables" in folded["consequence"]


def test_every_kind_of_text_that_the_receiver_folds_has_its_consequence_told() -> None:
    assert set(CONSEQUENCES) == set(GROUPS)


def test_nothing_is_said_to_be_folded_where_nothing_was() -> None:
    assert document_of("shop SERVER GET /x 0..9ms")["quality"]["folded"] == []


def test_destinations_beyond_the_limit_are_not_accused_of_the_tail() -> None:
    accused = spiky_at(1, db=True, namespace="n")
    folded = spiky_at(1, db=True, namespace="(other)")

    assert any("postgresql n" in finding["title"] for finding in accused["findings"])
    assert not any("(other)" in finding["title"] for finding in folded["findings"])
    (row,) = [row for row in folded["tail"] if row["callee"] == "postgresql (other)"]
    assert (row["status"], row["band"]) == ("not_identifiable", "unknown")


def test_a_version_with_every_request_makes_no_deployments() -> None:
    calm = ("shop", "1.0", 0.0, 24.0)
    flood = sightings(calm, *((("shop", f"build {n}", 24 + n / 6, 24 + n / 6 + 1 / 12)) for n in range(6 * 20)))

    found = events_of(flood)

    assert short(found) == []
    assert reasons(found) == {"shop": Ignored.FLOOD}


def test_versions_beyond_the_limit_are_named_as_such() -> None:
    found = events_of(sightings(("shop", "1.0", 0.0, 24.0), ("shop", "(other)", 24.0, 48.0)))

    assert short(found) == []
    assert reasons(found) == {"shop": Ignored.FOLDED}


def test_a_deployment_every_hour_still_counts() -> None:
    hourly = sightings(*((("shop", f"1.{n}", float(n), float(n + 1))) for n in range(48)))

    found = events_of(hourly)

    assert found.events.height == 47
    assert found.ignored.filter(pl.col("reason") == Ignored.FLOOD).is_empty()
