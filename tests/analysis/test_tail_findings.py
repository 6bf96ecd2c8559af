"""Whom the tail analysis accuses, and in which words."""

from typing import Any

import numpy as np
import pytest

from analysis.pipelines import analysed, batches
from tracelith.analysis.shares import percent
from tracelith.model.schema import WINDOW_NS
from tracelith.present.text import percent as shown_elsewhere
from traces import window_of

OWN_MS = 10.0
WAY_MS = 1.0


def nested(hops: int, db: bool, namespace: str = "n") -> str:
    """gateway → s1 → s2 …, the last one with a datastore call if asked for."""
    lines = ["gateway SERVER GET / 0..100ms"]
    for hop in range(1, hops + 1):
        indent = "  " * (2 * hop - 1)
        caller = "gateway" if hop == 1 else f"s{hop - 1}"
        lines += [f"{indent}{caller} CLIENT call {hop}..{100 - hop}ms", f"{indent}  s{hop} SERVER GET /{hop} 20..80ms"]
    if db:
        lines.append(
            "  " * (2 * hops + 1) + f"s{hops} CLIENT select 30..70ms db=postgresql namespace={namespace} object=o"
        )
    return "\n".join(lines)


def spiky_at(hops: int, *, db: bool = False, namespace: str = "n") -> dict[str, Any]:
    """Document of a chain whose deepest party (service or datastore) takes 2 % of the requests 200 to 400 ms longer."""
    count, windows = 4000, 80
    random = np.random.default_rng(7)
    deepest = np.where(random.random(count) < 0.02, random.uniform(200, 400, count), random.normal(8, 1, count)) * 1e6
    one = window_of(nested(hops, db, namespace), copies=count)
    spans = 2 * hops + 1 + db
    # From the outside in: what a span takes is what it contains, and half of its own time before and after.
    own = np.full(spans, WAY_MS * 1e6)
    own[0::2] = OWN_MS * 1e6
    duration = deepest[:, None] + np.concatenate([np.cumsum(own[:-1][::-1])[::-1], [0.0]])
    start = np.concatenate([[0.0], np.cumsum(own[:-1] / 2)]) + np.zeros((count, 1))
    shift = (np.arange(count) % windows)[:, None] * WINDOW_NS + (np.arange(count)[:, None] // windows) * 1_000_000
    moved = one.spans.with_columns(
        start_ns=(one.spans["start_ns"].min() + shift + start.astype(np.int64)).ravel(),
        duration_ns=duration.astype(np.int64).ravel(),
    )
    return analysed([batches(one, [moved])])


def told(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["subjects"][1], one["severity"]) for one in document["findings"] if one["rule"] == "remote-tail-hop"]


def row_of(document: dict[str, Any], hop: str) -> dict[str, Any]:
    return next(row for row in document["tail"] if row["hop"] == hop)


def test_a_gateway_in_front_of_one_service_is_healthy_wherever_the_service_is_slow() -> None:
    service, datastore = spiky_at(1), spiky_at(1, db=True)

    assert row_of(service, "s1")["band"] == "dominant"
    assert row_of(service, "s1")["hops_away"] == 1
    assert told(service) == [("s1", "info")]
    assert row_of(datastore, "s1 → postgresql n")["hops_away"] == 1
    assert told(datastore) == [("s1 → postgresql n", "info")]
    assert all(one["severity"] == "info" for one in service["findings"] + datastore["findings"])


def test_a_tail_of_ones_own_making_couples_nobody_and_scores_nothing() -> None:
    document = spiky_at(1)

    components = {one["name"]: one["value"] for one in document["verdict"]["components"]}
    assert components["tail"] == 0
    assert document["verdict"]["sentence"].startswith("No sign of a distributed monolith")


@pytest.mark.parametrize("hops", [2, 3])
def test_a_tail_that_travels_up_two_awaited_calls_is_a_warning(hops: int) -> None:
    document = spiky_at(hops)

    assert row_of(document, f"s{hops}")["hops_away"] == hops
    assert told(document) == [(f"s{hops}", "warning")]
    components = {one["name"]: one["value"] for one in document["verdict"]["components"]}
    assert components["tail"] == 1


def test_the_way_to_a_service_is_as_far_away_as_the_service() -> None:
    document = spiky_at(2)

    assert row_of(document, "s1 → s2")["hops_away"] == 2
    assert row_of(document, "gateway → s1")["hops_away"] == 1
    assert row_of(document, "gateway")["hops_away"] == 0


def test_the_title_says_what_causes_which_part_of_what() -> None:
    document = spiky_at(3)

    (title,) = [one["title"] for one in document["findings"] if one["rule"] == "remote-tail-hop"]
    assert title.startswith("s3 causes ")
    assert title.endswith(" of the extra time in the slowest 1 % of gateway GET /")


SHARES = {0.0: "0 %", 0.0004: "0.04 %", 0.006: "0.6 %", 0.054: "5.4 %", -0.05: "−5 %", 0.714: "71 %", 1.26: "126 %"}
NEARLY_ALL = {0.985: "98 %", 0.993: "99.3 %", 0.99951: "99.9 %", 0.999999: "99.9 %", 1.0: "100 %"}


@pytest.mark.parametrize(("share", "text"), (SHARES | NEARLY_ALL).items())
def test_a_share_never_rounds_up_to_all_and_reads_as_on_every_face(share: float, text: str) -> None:
    assert percent(share) == text
    assert shown_elsewhere(share) == text
