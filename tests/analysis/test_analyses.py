"""What depth, calls and data quality conclude from written traces."""

from typing import Any

import pytest

from analysis.pipelines import document_of, over_windows
from tracelith.analysis.base import SECTIONS, Analysis
from tracelith.analysis.registry import registered_analyses

ORACLE = """
gateway SERVER GET /order 0..100ms
  gateway CLIENT order 5..95ms
    order SERVER GET /order 6..94ms
      order CLIENT inventory 10..60ms
        inventory SERVER GET /stock 11..59ms
          inventory CLIENT select 20..50ms db=postgresql namespace=stock object=stock
      order PRODUCER mails 70..71ms mq=kafka object=mails
        mailer CONSUMER mails 300..340ms mq=kafka object=mails
          mailer CLIENT send 305..335ms peer=smtp.example:25
"""


def entry_of(document: dict[str, Any], service: str) -> dict[str, Any]:
    return next(entry for entry in document["entry_operations"] if entry["service"] == service)


def edge_of(document: dict[str, Any], caller: str, callee: str) -> dict[str, Any]:
    return next(edge for edge in document["edges"] if (edge["caller"], edge["callee"]) == (caller, callee))


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    return document_of(over_windows(ORACLE, copies=12, windows=25))


def test_4_depth_oracle(oracle: dict[str, Any]) -> None:
    order, mails = entry_of(oracle, "gateway"), entry_of(oracle, "mailer")

    assert order["depth"]["p95"]["value"] == 2
    assert order["depth"]["with_peers_p95"] == 3
    assert order["depth"]["band"] == "typical"
    assert order["chains"][0]["services"] == ["gateway", "order", "inventory"]
    assert order["chains"][0]["share"] == 1
    assert len(order["chains"][0]["trace_ids"]) == 3
    assert mails["restarted"]
    assert mails["depth"]["p95"]["value"] == 0
    assert mails["depth"]["with_peers_p95"] == 1
    assert oracle["findings"] == []


def test_latency_is_reported_only_as_far_as_the_evidence_goes(oracle: dict[str, Any]) -> None:
    latency = entry_of(oracle, "gateway")["latency_ms"]

    assert latency["p50"]["value"] == pytest.approx(100, rel=0.01)
    assert latency["p95"]["value"] == pytest.approx(100, rel=0.01)
    assert latency["p99"]["value"] is None
    assert "needs 1,000" in latency["p99"]["reason"]
    histogram = entry_of(oracle, "gateway")["latency_histogram"]
    assert [row["traces"] for row in histogram] == [300]
    assert histogram[0]["from_ms"] < 100 <= histogram[0]["to_ms"]


def test_calls_vote_on_the_mode_of_their_edge(oracle: dict[str, Any]) -> None:
    waited, handed_over = edge_of(oracle, "gateway", "order"), edge_of(oracle, "order", "mailer")

    assert (waited["mode"], waited["awaited_share"]["value"]) == ("sync", 1)
    assert waited["network_ms"] == pytest.approx(2)
    assert waited["blocking_share"] == pytest.approx(1)
    assert (waited["calls"], waited["traces"], waited["failures"], waited["retries"]) == (300, 300, 0, 0)
    assert (handed_over["mode"], handed_over["awaited_share"]["value"]) == ("async", 0)
    assert edge_of(oracle, "inventory", "postgresql stock")["callee_kind"] == "datastore"


def test_calls_that_are_always_awaited_are_sync_also_after_a_few_minutes() -> None:
    document = document_of(over_windows(ORACLE, copies=12, windows=2))

    waited = edge_of(document, "gateway", "order")
    assert waited["mode"] == "sync"
    assert waited["awaited_share"]["ci"][0] > 0.8


def test_a_call_that_nobody_waits_longest_for_blocks_nothing() -> None:
    document = document_of(
        """
        page SERVER GET / 0..100ms
          page CLIENT fast 10..30ms
            fast SERVER GET /fast 11..29ms
          page CLIENT slow 10..90ms
            slow SERVER GET /slow 11..89ms
        """,
        copies=20,
    )

    assert edge_of(document, "page", "fast")["blocking_share"] == 0
    assert edge_of(document, "page", "slow")["blocking_share"] == pytest.approx(1)


def test_attempts_of_one_call_are_retries_and_its_last_attempt_decides() -> None:
    document = document_of(
        """
        shop SERVER GET / 0..100ms
          shop CLIENT pay 10..20ms ! peer=pay.example:443
          shop CLIENT pay 30..40ms attempt=1 peer=pay.example:443
        """,
        copies=20,
    )

    edge = edge_of(document, "shop", "pay.example:443")
    assert (edge["calls"], edge["retries"], edge["failures"]) == (20, 20, 0)


def test_an_edge_of_few_calls_has_no_mode() -> None:
    document = document_of(ORACLE, copies=4)

    edge = edge_of(document, "gateway", "order")
    assert (edge["mode"], edge["status"]) == ("mixed", "insufficient_data")
    assert "10 calls" in edge["reason"]


def chain(hops: int) -> str:
    lines = ["s0 SERVER GET / 0..100ms"]
    for hop in range(1, hops + 1):
        indent = "  " * (2 * hop - 1)
        lines.append(f"{indent}s{hop - 1} CLIENT call {hop}..{100 - hop}ms")
        lines.append(f"{indent}  s{hop} SERVER GET /{hop} {hop}.5..{99 - hop}.5ms")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("hops", "severity", "band"),
    [(2, None, "typical"), (3, "warning", "elevated"), (5, "critical", "high"), (7, "critical", "extreme")],
)
def test_4_bands_and_the_finding_that_rests_on_them(hops: int, severity: str | None, band: str) -> None:
    document = document_of(chain(hops), copies=250)

    findings = [finding for finding in document["findings"] if finding["rule"] == "deep-synchronous-chain"]
    assert entry_of(document, "s0")["depth"]["band"] == band
    assert [finding["severity"] for finding in findings] == ([] if severity is None else [severity])
    if findings:
        assert findings[0]["subjects"] == ["s0 GET /", *(f"s{hop}" for hop in range(hops + 1))]
        assert findings[0]["metric"]["value"] == hops
        assert len(findings[0]["evidence"]["trace_ids"]) == 3


def test_19_too_few_traces_show_no_depth_and_accuse_nobody() -> None:
    document = document_of(chain(6), copies=199)

    entry = entry_of(document, "s0")
    assert entry["status"] == "insufficient_data"
    assert entry["depth"]["p95"]["value"] is None
    assert entry["depth"]["band"] == "unknown"
    assert document["findings"] == []


def test_19_many_orphans_make_depth_unreadable() -> None:
    torn = "s0 SERVER GET / 0..100ms\n  s1 SERVER GET /1 5..9ms orphan"

    document = document_of(f"{chain(6)}\n\n{torn}\n\n{torn}", copies=250)

    entry = entry_of(document, "s0")
    assert entry["status"] == "insufficient_data"
    assert "lack their parent" in entry["reason"]
    assert document["findings"] == []
    assert document["quality"]["orphan_spans"] == 500
    assert document["quality"]["defects"][0]["name"] == "orphan_spans"


def test_where_many_spans_are_lost_no_latency_is_told_of_the_small_requests_that_are_whole() -> None:
    torn = "s0 SERVER GET / 0..100ms\n  s1 SERVER GET /1 5..9ms orphan"

    document = document_of(f"{chain(6)}\n\n{torn}\n\n{torn}", copies=250)

    latency = entry_of(document, "s0")["latency_ms"]["p50"]
    assert (latency["value"], latency["status"]) == (None, "insufficient_data")
    assert "small ones" in latency["reason"]
    assert {row["status"] for row in document["tail"]} == {"insufficient_data"}


def test_a_rare_deep_chain_is_not_what_most_requests_wait_for() -> None:
    document = document_of("\n\n".join([*[chain(1)] * 30, chain(6)]), copies=20)

    depth = entry_of(document, "s0")["depth"]
    assert (depth["p95"]["value"], depth["max"]) == (1, 6)
    assert document["findings"] == []


def test_quality_names_every_service_and_what_was_unusable() -> None:
    document = document_of(ORACLE + "\nlost SERVER GET / 0..5ms orphan\n", copies=20)

    quality = document["quality"]
    assert {row["service"] for row in quality["service_list"]} == {"gateway", "order", "inventory", "mailer", "lost"}
    assert quality["traces"] == 40
    assert quality["complete_traces"] == 20
    assert quality["usable_share"]["value"] == 0.5
    assert quality["service_list"][0]["first_seen"].startswith("2026-01-05T09:00:00")
    defects = {row["name"]: row for row in quality["defects"]}
    assert (defects["orphan_spans"]["count"], defects["rootless_traces"]["share"]) == (20, 0.5)
    assert quality["defects"][0]["name"] == "rootless_traces"
    assert all(row["consequence"] and row["remedy"] for row in quality["defects"])


def test_sampled_traces_count_for_those_that_were_not_kept() -> None:
    document = document_of(
        """
        shop SERVER GET / 0..10ms weight=1

        shop SERVER GET / 0..10ms weight=9
          shop CLIENT call 1..9ms weight=9
            price SERVER GET /p 2..8ms weight=9
        """,
        copies=200,
    )

    depth = entry_of(document, "shop")["depth"]
    assert [row["share"] for row in depth["histogram"]] == pytest.approx([0.1, 0.9])
    assert depth["p95"]["n"] == 400
    assert depth["p95"]["n_eff"] == pytest.approx(400 * 25 / 41, rel=1e-4)


@pytest.mark.parametrize("analysis", registered_analyses(), ids=lambda analysis: analysis.name)
def test_every_analysis_explains_itself(analysis: Analysis) -> None:
    assert analysis.title
    assert tuple(analysis.sections) == SECTIONS
    assert all(len(text) > 5 for text in analysis.sections.values())


def test_the_registry_finds_the_headline_analyses_in_reading_order() -> None:
    names = [analysis.name for analysis in registered_analyses()]

    assert names[:5] == ["data_quality", "synchronous_depth", "tail_latency", "codeployment", "calls"]


def test_latencies_are_not_told_more_exactly_than_their_buckets() -> None:
    document = document_of("shop SERVER GET / 0..64ms", copies=1_000)

    p50 = document["entry_operations"][0]["latency_ms"]["p50"]

    low, high = p50["ci"]
    assert low <= 64 <= high
    assert high / low > 1.01
