"""The tail of entry operations, from facts of many requests, and what is said about it."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.pipelines import analysed, batches
from tracelith.model.schema import WINDOW_NS
from traces import window_of

SHOP = """
shop SERVER GET / 0..30ms
  shop CLIENT price 10..20ms
    price SERVER GET /p 11..19ms
"""
SHOP_DURATIONS = {"shop": 20e6, "network": 2e6, "price": 8e6}


def tail_of(price_ms: np.ndarray, shop_ms: np.ndarray | None = None, *, windows: int = 90) -> dict[str, Any]:
    """Document of requests whose time inside price (and the shop itself) is given, dealt to windows in turn."""
    count = len(price_ms)
    one = window_of(SHOP, copies=count)
    own = np.full(count, 20.0) if shop_ms is None else shop_ms
    price, before = price_ms * 1e6, own * 0.5e6
    start = np.stack([np.zeros(count), before, before + 1e6], axis=1)
    duration = np.stack([own * 1e6 + 2e6 + price, price + 2e6, price], axis=1)
    base = one.spans["start_ns"].min()
    shift = (np.arange(count) % windows)[:, None] * WINDOW_NS + (np.arange(count)[:, None] // windows) * 1_000_000
    spans = one.spans.with_columns(
        start_ns=pl.Series((base + shift + start.astype(np.int64)).ravel()),
        duration_ns=pl.Series(duration.astype(np.int64).ravel()),
    )
    return analysed([batches(one, [spans])])


def hop(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in document["tail"] if row["hop"] == name)


@pytest.fixture(scope="module")
def spiky() -> dict[str, Any]:
    random = np.random.default_rng(1)
    price = np.where(random.random(4000) < 0.02, random.uniform(200, 400, 4000), random.normal(8, 1, 4000))
    return tail_of(price, random.normal(20, 2, 4000))


def test_the_hop_that_is_slow_in_slow_requests_is_named(spiky: dict[str, Any]) -> None:
    row = hop(spiky, "price")

    assert (row["q"], row["status"], row["band"]) == (0.99, "ok", "dominant")
    assert row["share"] > 0.95
    assert row["ci"][0] <= row["share"] <= row["ci"][1]
    assert 250 < row["excess_ms"] < 420
    assert row["ci_method"] == "blocks"
    finding = next(one for one in spiky["findings"] if one["rule"] == "remote-tail-hop")
    assert (finding["severity"], finding["subjects"]) == ("info", ["shop GET /", "price"])
    assert len(finding["evidence"]["trace_ids"]) == 3


def test_shares_of_all_hops_add_up_to_one(spiky: dict[str, Any]) -> None:
    assert sum(row["share"] for row in spiky["tail"]) == pytest.approx(1, abs=1e-4)
    assert sum(row["variance_share"] for row in spiky["tail"]) == pytest.approx(1, abs=0.01)


def test_one_slow_call_per_request_propagates_and_does_not_amplify(spiky: dict[str, Any]) -> None:
    row = hop(spiky, "price")

    assert row["exceedance"] == pytest.approx(1)
    assert row["effective_fan_out"] == pytest.approx(1)
    # 1.6 % of the requests and 2.2 % of the calls lie beyond the nearest bucket borders, so 0.7 is all there can be.
    assert row["propagation"]["value"] == pytest.approx(0.7, abs=0.05)
    assert row["explained"]["value"] > 0.95
    assert row["lift"] > 30


def test_the_entry_service_is_never_accused_of_its_own_tail() -> None:
    random = np.random.default_rng(2)
    own = np.where(random.random(4000) < 0.02, random.uniform(200, 400, 4000), random.normal(20, 2, 4000))

    document = tail_of(random.normal(8, 1, 4000), own)

    assert hop(document, "shop")["share"] > 0.95
    assert not hop(document, "shop")["remote"]
    assert document["findings"] == []


def test_a_tail_that_is_not_worth_speaking_of_accuses_nobody() -> None:
    random = np.random.default_rng(3)

    document = tail_of(random.normal(20, 3, 4000), np.full(4000, 20.0))

    row = hop(document, "price")
    assert row["share"] > 0.9
    assert (row["material"], row["band"]) == (False, "normal")
    assert document["findings"] == []


@pytest.mark.parametrize(("traces", "q"), [(3000, 0.99), (2999, 0.95), (600, 0.95), (599, 0.90), (300, 0.90)])
def test_19_fewer_traces_move_the_quantile_down(traces: int, q: float) -> None:
    random = np.random.default_rng(4)

    document = tail_of(random.exponential(8, traces) + 1)

    assert hop(document, "price")["q"] == q
    assert hop(document, "price")["tail_traces"] >= 29


def test_19_below_300_traces_there_is_no_share() -> None:
    document = tail_of(np.random.default_rng(4).exponential(8, 299) + 1)

    (row,) = document["tail"]
    assert row["status"] == "insufficient_data"
    assert (row["share"], row["ci"], row["band"]) == (None, None, "unknown")
    assert "300 complete traces" in row["reason"]


def test_equal_requests_have_no_tail() -> None:
    document = tail_of(np.full(700, 8.0))

    assert {row["status"] for row in document["tail"]} == {"not_identifiable"}
    assert {row["share"] for row in document["tail"]} == {None}


def test_requests_without_duration_have_no_tail_and_say_so() -> None:
    (row,) = analysed([batches(window_of("shop SERVER GET / 0..0ms", copies=700))])["tail"]

    assert (row["share"], row["status"], row["reason"]) == (None, "not_identifiable", "requests take no time at all")


def test_a_short_history_trusts_the_wider_of_blocks_and_traces() -> None:
    random = np.random.default_rng(5)
    price = np.where(random.random(4000) < 0.02, random.uniform(200, 400, 4000), random.normal(8, 1, 4000))
    shop = random.normal(20, 2, 4000)

    few, one = (hop(tail_of(price, shop, windows=windows), "price") for windows in (4, 1))

    assert one["ci_method"] == "traces"
    assert few["ci"][1] - few["ci"][0] >= 0.8 * (one["ci"][1] - one["ci"][0])


def test_a_tail_from_stretches_as_long_as_the_period_is_not_split() -> None:
    random = np.random.default_rng(6)
    count, windows = 4000, 90
    window = np.arange(count) % windows
    # The price is slow throughout the last third of the time, and all the slower the later it is.
    slow = np.where(window >= 60, random.uniform(100, 200, count) + 10.0 * (window - 60), 0)

    document = tail_of(random.normal(8, 1, count) + slow, random.normal(20, 2, count), windows=windows)

    row = hop(document, "price")
    assert (row["status"], row["share"], row["ci"], row["band"]) == ("insufficient_data", None, None, "unknown")
    assert "analyse a longer period" in row["reason"]
    assert document["findings"] == []


def test_written_system_has_the_durations_the_tests_count_on() -> None:
    document = analysed([batches(window_of(SHOP, copies=700))])

    assert {row["hop"]: row["mean_ms"] for row in document["tail"]} == {
        "shop": pytest.approx(SHOP_DURATIONS["shop"] / 1e6),
        "price": pytest.approx(SHOP_DURATIONS["price"] / 1e6),
        "shop → price": pytest.approx(SHOP_DURATIONS["network"] / 1e6),
    }
